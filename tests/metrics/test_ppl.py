"""Path lengths, where they are known."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.evaluation.path_lengths import path_lengths
from gancli.inference.sampling.walks.paths import slerp
from gancli.metrics import ppl
from tests.variants.small import make

COUNT = 250


class Linear:
    """A generator of images that are linear in the latent."""

    styles_too = False

    def __init__(self, size: float = 1e-2) -> None:
        self.matrix = size * torch.randn(6, 3 * 4 * 4, generator=torch.Generator().manual_seed(0))

    def prior(self, n: int) -> Tensor:
        z = torch.randn(n, 6)
        return z * (2 / z.norm(dim=1, keepdim=True))  # on a sphere of radius 2

    def generate(self, z: Tensor) -> Tensor:
        return (z @ self.matrix).view(-1, 3, 4, 4)


class Styles(Linear):
    """One with styles, which are twice the latent; class-wise means are not used here."""

    style_layers = 2

    def styles(self, z: Tensor) -> Tensor:
        return (2 * z)[:, None].expand(-1, 2, -1)

    def mean_styles(self, z: Tensor) -> Tensor:
        return torch.zeros(len(z), 2, 6)

    def synthesise(self, w: Tensor) -> Tensor:
        return self.generate(w.mean(1))


class Pixels:
    """Features that are the pixels."""

    batch = 64

    def __call__(self, images: Tensor) -> tuple[Tensor, None]:
        assert images.is_floating_point()
        return (images / 127.5 - 1).flatten(1), None


def lengths(gan: Any, count: int = COUNT, seed: int = 0) -> dict[str, float]:
    return path_lengths(gan, Pixels(), "it", count, seed, lambda *_: None)  # pyright: ignore[reportArgumentType]


def trimmed(values: list[float]) -> float:
    """Leave out what is beyond the first and the 99th percentile, as numpy counts them."""
    ordered = sorted(values)
    low, high = math.floor(0.01 * (len(values) - 1)), math.ceil(0.99 * (len(values) - 1))
    return sum(ordered[low : high + 1]) / (high + 1 - low)


def test_lengths_of_a_linear_generator_are_those_of_its_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an arc the speed is the radius times the angle; on a straight line it is the distance of the ends."""
    orthonormal = torch.linalg.qr(torch.randn(48, 6, generator=torch.Generator().manual_seed(1)))[0].T
    gan = Styles()
    gan.matrix = 0.1 * orthonormal  # keeps distances, times 0.1
    ends: list[Tensor] = []
    prior = gan.prior
    monkeypatch.setattr(gan, "prior", lambda n: ends.append(prior(n)) or ends[-1])
    found = lengths(gan)
    a, b = (torch.cat(side)[:COUNT].double() for side in (ends[::2], ends[1::2]))
    angle = torch.acos((a * b).sum(1) / 4)
    arcs, lines = (2 * angle * 0.1).square(), (2 * (a - b).norm(dim=1) * 0.1).square()
    for key, expected in {"z_full": arcs, "z_end": arcs, "w_full": lines, "w_end": lines}.items():
        # float32 images: their rounding, 1e-7, is 1e-3 of a step
        assert found[f"ppl_{key}"] == pytest.approx(trimmed(expected.tolist()), rel=2e-2), key


def test_lengths_grow_with_the_square_of_the_speed_and_do_not_depend_on_the_step() -> None:
    one, thrice = lengths(Linear(), 50), lengths(Linear(3e-2), 50)
    assert list(one) == ["ppl_z_full", "ppl_z_end"]  # it has no styles
    for key in one:
        assert thrice[key] == pytest.approx(9 * one[key], rel=2e-2)
    before, after = torch.randn(5, 7), torch.randn(5, 7)
    expected = ppl.speeds(before, after)
    step = before.double() + (after.double() - before.double()) / 10
    torch.testing.assert_close(ppl.speeds(before, step, ppl.EPSILON / 10), expected)


def test_arcs_are_those_of_interpolate() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b, t = torch.randn(9, 5, generator=generator), torch.randn(9, 5, generator=generator), torch.linspace(0, 1, 9)
    b[4] = -2 * a[4]
    b[5] = 3 * a[5]
    expected = torch.cat([slerp(first, last, place[None]) for first, last, place in zip(a, b, t)])
    torch.testing.assert_close(ppl.on_arcs(a, b, t), expected)


def test_extremes_are_left_out() -> None:
    values = torch.arange(201.0).double()
    values[200] = 1e9
    assert ppl.path_length(values) == pytest.approx(trimmed(values.tolist())) == pytest.approx(100)
    assert ppl.path_length(torch.ones(1).double()) == 1
    with pytest.raises(ValueError, match="at least one path"):
        ppl.path_length(torch.zeros(0))


def test_paths_are_those_of_the_seed_however_many_there_are() -> None:
    assert lengths(Linear(), 120) == lengths(Linear(), 120)
    assert lengths(Linear(), 120, seed=1) != lengths(Linear(), 120)


@pytest.mark.parametrize("name", ["dcgan", "cgan", "infogan", "stylegan3"])
def test_models_are_measured_in_the_spaces_that_they_have(name: str) -> None:
    gan: Any = make(name).eval()
    labels: list[Tensor] = []
    if name == "cgan":
        generate = gan.generate
        vars(gan)["generate"] = lambda z: labels.append(gan.label_of(z)) or generate(z)
    found = lengths(gan, 3)
    assert list(found) == [
        f"ppl_{space}_{where}" for space in ("zw" if name == "stylegan3" else "z") for where in ("full", "end")
    ]
    assert all(value > 0 for value in found.values())
    assert all(torch.equal(label, labels[0]) for label in labels)  # both ends have the same class
