from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gancli import registry
from gancli.capabilities import Classes, Samples
from gancli.checkpoints.find import Model
from gancli.inference.sampling.draw import latent_of
from gancli.inference.sampling.walks.paths import lerp, slerp, walk
from gancli.inference.sampling.walks.walk import Walk, frames_of
from tests.variants.small import make

SAMPLED = registry.able(Samples)
MODEL = cast(Model, None)  # only errors name it


def vectors(size: int) -> st.SearchStrategy[torch.Tensor]:
    numbers = st.floats(-10, 10, width=32, allow_subnormal=False)
    return st.lists(numbers, min_size=size, max_size=size).map(torch.tensor).filter(lambda v: v.norm() > 0.1)


@given(vectors(5), vectors(5))
def test_both_ways_start_and_end_at_their_ends(a: torch.Tensor, b: torch.Tensor) -> None:
    for way in (lerp, slerp):
        ends = way(a, b, torch.tensor([0.0, 1.0]))
        torch.testing.assert_close(ends, torch.stack([a, b]), rtol=1e-3, atol=1e-3)


@given(vectors(6), vectors(6), st.floats(0, 1))
def test_slerp_keeps_between_the_lengths(a: torch.Tensor, b: torch.Tensor, t: float) -> None:
    if abs(torch.dot(a, b) / (a.norm() * b.norm())) > 0.99:
        return  # no single arc: a straight line
    length = slerp(a, b, torch.tensor([t])).norm()
    low, high = sorted([a.norm(), b.norm()])
    assert low * 0.999 <= length <= high * 1.001


def test_slerp_of_right_angles_is_the_circle() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    torch.testing.assert_close(slerp(a, b, torch.tensor([0.5])), torch.full((1, 2), 0.5**0.5))


@given(st.integers(2, 5), st.integers(2, 40))
def test_a_walk_has_its_frames_and_passes_its_ends(stops: int, frames: int) -> None:
    z = torch.randn(stops, 4, generator=torch.Generator().manual_seed(stops))
    path = walk(z, frames, 4)
    assert path.shape == (frames, 4)
    torch.testing.assert_close(path[0], z[0])
    torch.testing.assert_close(path[-1], z[-1])


def classes_in(gan: Any) -> int:
    """How many classes its latents tell apart."""
    return len(gan.classes) if isinstance(gan, Classes) else 0


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("options", [{}, {"loop": True}, {"grid": True}], ids=str)
def test_every_point_of_a_walk_is_one_that_the_prior_could_give(name: str, options: dict[str, Any]) -> None:
    """The noise is as long as noise is; labels are shares of classes, and codes lie in their interval."""
    gan: Any = make(name)
    z, _ = frames_of(Walk(space="z", **options), gan, MODEL)
    count = classes_in(gan)
    noise_axes = gan.hp.z_dim if count else z.shape[1]
    noise, rest = z.tensor_split([noise_axes], 1)
    ends = torch.cat([latent_of(gan, seed, None) for seed in range(4)])[:, :noise_axes].norm(dim=1)
    assert noise.norm(dim=1).min() >= 0.999 * ends.min()
    assert noise.norm(dim=1).max() <= 1.001 * ends.max()
    if count:
        label, codes = rest.tensor_split([count], 1)
        torch.testing.assert_close(label.sum(1), torch.ones(len(z)))
        assert label.min() >= 0
        assert label.max() <= 1
        assert codes.numel() == 0 or codes.abs().max() <= 1


@pytest.mark.parametrize("name", SAMPLED)
def test_a_walk_through_classes_keeps_its_noise(name: str) -> None:
    if not isinstance(gan := make(name), Classes):
        pytest.skip("has no classes")
    gan = cast(Any, gan)
    first, last = gan.classes[0], gan.classes[-1]
    z, _ = frames_of(Walk(space="z", classes=f"{first}:{last}"), gan, MODEL)
    assert torch.equal(z[:, : gan.hp.z_dim], z[:1, : gan.hp.z_dim].expand(len(z), -1))
    assert gan.label_of(z).tolist()[0] == 0
    assert gan.label_of(z).tolist()[-1] == len(gan.classes) - 1
