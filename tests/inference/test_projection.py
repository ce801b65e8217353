"""Projection finds the latent of an image that a model generated, in every space and for every model that samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from gancli import registry
from gancli.capabilities import Samples
from gancli.errors import UserError
from gancli.inference.sampling import projection
from gancli.inference.sampling.draw import latent_of
from gancli.inference.sampling.projection import Projecting, distance, project, rate_at
from gancli.inference.sampling.styles import generated, styles_of
from gancli.system.seeds import aside
from tests.conftest import Cli, Once, Trained
from tests.inference.bands import bands, trained
from tests.variants.small import make

CPU = torch.device("cpu")


@pytest.fixture
def run(cli: Cli, once: Once) -> Path:
    return trained(cli, once)


@pytest.fixture
def gan() -> Any:
    return bands()


def image_of(gan: Any, seed: int = 3) -> torch.Tensor:
    with torch.no_grad():
        return generated(gan, latent_of(gan, seed, None)).clamp(-1, 1)


# -------------------------------------------------------------------------------------------------- the search


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_the_latent_of_a_generated_image_is_found(gan: Any, space: Any) -> None:
    """The control: the nearest of the samples that it starts from is far away."""
    image = image_of(gan)
    started = project(gan, image, Projecting(space, steps=0), CPU)
    found = project(gan, image, Projecting(space, steps=150), CPU)
    assert found.error < 0.005
    assert started.error > 20 * found.error
    assert found.space == space
    w = styles_of(gan, latent_of(gan, 3, None))
    shape = {"z": (1, 6), "w": (1, 1, 6), "w+": (1, 4, 6)}[space]
    assert found.latent.shape == shape
    of_found = found.latent if space != "z" else styles_of(gan, found.latent)
    torch.testing.assert_close(of_found.expand(-1, 4, -1), w, atol=0.1, rtol=0)


def test_w_plus_comes_nearer_to_an_image_that_no_w_gives(gan: Any) -> None:
    w = torch.cat([styles_of(gan, latent_of(gan, seed, None)) for seed in range(4)])
    mixed = torch.stack([w[i, i] for i in range(4)])[None]
    image = generated(gan, mixed).detach()
    errors = {space: project(gan, image, Projecting(space, 150), CPU).error for space in ("z", "w", "w+")}
    assert errors["w+"] < 0.01
    assert min(errors["z"], errors["w"]) > 5 * errors["w+"]


def test_a_seed_gives_the_same_latent_each_time_and_leaves_the_generators_alone(gan: Any) -> None:
    image = image_of(gan)
    torch.manual_seed(1)
    first = project(gan, image, Projecting(steps=20, seed=1), CPU)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    assert torch.equal(first.latent, project(gan, image, Projecting(steps=20, seed=1), CPU).latent)
    assert not torch.equal(first.latent, project(gan, image, Projecting(steps=20, seed=2), CPU).latent)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))


def test_no_number_of_steps_makes_it_worse_than_its_starts(gan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of(gan)
    start = project(gan, image, Projecting(steps=0), CPU)
    monkeypatch.setattr(projection, "RATE", 50.0)
    assert project(gan, image, Projecting(steps=2), CPU).error <= start.error


@pytest.mark.parametrize("name", registry.able(Samples))
def test_every_model_that_samples_can_be_projected_into(name: str) -> None:
    """Labels and codes stay what a sample could have. Images of two values have no slope."""
    gan: Any = make(name).eval().requires_grad_(False)
    image = image_of(gan)
    if not generated(gan, gan.prior(1).requires_grad_()).requires_grad:
        assert set(image.unique().tolist()) <= {-1, 1}
        with pytest.raises(UserError, match="cannot be differentiated"):
            project(gan, image, Projecting("z", 1), CPU)
        return
    start, found = (project(gan, image, Projecting("z", steps), CPU) for steps in (0, 12))
    assert found.error <= start.error
    with torch.no_grad():
        apart = distance(generated(gan, torch.cat([start.latent, found.latent])), image)
    assert apart[1] <= apart[0]
    if (axes := getattr(gan, "noise_axes", None)) is not None:
        with aside("projection", 0):
            drawn = gan.prior(projection.CANDIDATES)
        assert (found.latent[:, axes:] == drawn[:, axes:]).all(1).any()


def test_a_class_is_kept() -> None:
    gan: Any = make("cgan").eval().requires_grad_(False)
    found = project(gan, image_of(gan), Projecting(steps=3, label=2), CPU)
    assert gan.label_of(found.latent).tolist() == [2]


def test_what_cannot_be_differentiated_is_refused(gan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gan, "synthesise", lambda w: bands().synthesise(w.detach()))
    with pytest.raises(UserError, match="cannot be differentiated"):
        project(gan, image_of(gan), Projecting(steps=1), CPU)


# ------------------------------------------------------------------------------------------------ the distance


def test_the_distance_is_that_of_pixels_and_neighbours_at_every_resolution() -> None:
    """By hand, of one pixel that differs by 1 in 8x8, and its mean in 4x4."""
    a = torch.zeros(1, 1, 8, 8)
    a[0, 0, 0, 0] = 1
    fine = 1 / 64 + 2 / 56
    coarse = (1 / 16) * (1 / 16) + 2 * (1 / 16) / 12
    torch.testing.assert_close(distance(a, torch.zeros_like(a)), torch.tensor([fine + coarse]))


def test_the_distance_of_points_and_thin_images_is_finite() -> None:
    for shape in ((2, 2, 1, 1), (2, 3, 1, 9), (2, 1, 30, 17)):
        a = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        assert distance(a, a[:1])[0] == 0
        assert 0 < float(distance(a, a[:1])[1]) < 100


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [rate_at(step / 100) for step in range(101)]
    assert rates[0] < 0.05
    assert max(rates) == pytest.approx(1)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[76:] == sorted(rates[76:], reverse=True)


# ------------------------------------------------------------------------------------------------ the commands


def test_a_walk_between_images_ends_at_what_was_found_and_saves_it(cli: Cli, run: Path) -> None:
    assert cli("sample", run, "--seeds", "4-5", "--out", "of").code == 0
    words = ("--steps", 100, "--frames", 2, "--strip")
    result = cli("interpolate", run, "--images", "of", *words, "--out", "walk.png")
    assert result.code == 0, result.err
    errors = [float(line.split("error ")[1].split()[0]) for line in result.err.splitlines()]
    assert max(errors) < 0.02
    assert "seed00004.png" in result.err
    assert "latent in w saved as walk-seed00004.latent" in result.err
    assert cli("sample", run, "--seeds", "4-5", "--cols", 2, "--out", "ends.png").code == 0
    apart = [np.asarray(Image.open(name), float) for name in ("walk.png", "ends.png")]
    assert abs(apart[0] - apart[1]).max() < 12
    before = Path("walk.png").read_bytes()
    again = ("walk-seed00004.latent", "walk-seed00005.latent")
    assert cli("interpolate", run, *again, "--frames", 2, "--strip", "--out", "again.png").code == 0
    assert np.array_equal(np.asarray(Image.open("again.png")), apart[0])
    assert cli("interpolate", run, "--images", "of", *words, "--out", "walk.png").code == 0
    assert Path("walk.png").read_bytes() == before


def test_a_model_without_styles_or_encoder_projects_into_z(cli: Cli, trained: Trained, pictures: Path) -> None:
    gan = trained("gan", "gan", "--width", 4, "--batch", 4, "--z-dim", 6, "--steps", 1, "--metrics", "none")
    photos = sorted(pictures.glob("*.png"))[:2]
    words = ("--steps", 2, "--frames", 2, "--out", "frames")
    assert cli("interpolate", gan, "--images", *photos, *words).code == 0
    with safe_open("frames/000.latent", "pt") as file:
        assert file.get_tensor("latent").shape == (6,)
    assert cli("interpolate", gan, "--images", *photos, *words, "--space", "w").code == 2


def test_images_that_a_command_then_refuses_are_not_projected(cli: Cli, run: Path, pictures: Path) -> None:
    photo = next(pictures.glob("*.png"))
    for words in (
        (photo,),
        (photo, photo, "--grid"),
        (photo, "--axis", 9),
        (photo, "--direction", "smile"),
        (photo, photo, "--out", "x.jpg"),
    ):
        result = cli("interpolate", run, "--images", *words)
        assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert not list(Path().glob("*.latent"))


def test_samples_near_an_image(cli: Cli, run: Path) -> None:
    assert cli("sample", run, "--seeds", "4", "--out", "of").code == 0
    near = ("sample", run, "--near", "of/seed00004.png", "--steps", 60)
    assert cli(*near, "-n", 4, "--spread", 0, "--out", "near.png").code == 0
    sheet = np.asarray(Image.open("near.png"))
    assert np.array_equal(sheet[2:34, 2:34], sheet[36:68, 36:68])
    latent = ("--near", "near-seed00004.latent", "-n", 4)
    assert cli("sample", run, *latent, "--out", "some.png").code == 0
    assert cli("sample", run, *latent, "--spread", 1, "--out", "far.png").code == 0
    some, far = (np.asarray(Image.open(name), float) for name in ("some.png", "far.png"))
    assert 0 < abs(some - sheet).mean() < abs(far - sheet).mean()
    assert cli("sample", run, "--near", "of/seed00004.png", "--out", "x.npz").code == 2
    assert not Path("x-seed00004.latent").exists()
