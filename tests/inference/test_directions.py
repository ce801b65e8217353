"""Directions of the latent space: SeFa against its closed form, GANSpace against known Gaussians."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gancli import registry
from gancli.capabilities import Samples
from gancli.errors import UserError
from gancli.images.writing import read_about
from gancli.inference.sampling.directions import Finder, along, find, principal, regressed, sefa
from tests.conftest import Cli, Once, Trained
from tests.inference.bands import bands, train
from tests.variants.small import make


@pytest.fixture
def run(cli: Cli, once: Once) -> Path:
    return once("bands", lambda folder: train(cli, folder)) / "run"


def rotation(size: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(seed)).double()).Q


def same_lines(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Rows point along the same lines, in the same order."""
    cosine = torch.nn.functional.cosine_similarity(found.double(), expected.double(), dim=1).abs()
    assert cosine.min() > 1 - tolerance, cosine


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# ---------------------------------------------------------------------------------------------- the algebra


def test_sefa_is_the_singular_vectors_of_the_weight() -> None:
    left, right = rotation(5, 1), rotation(9, 2)[:5]
    weight = left @ torch.diag(torch.tensor([5.0, 4, 3, 2, 1]).double()) @ right
    same_lines(sefa(weight), left.T, 1e-9)


def test_principal_components_of_a_known_gaussian() -> None:
    axes, generator = rotation(4), torch.Generator().manual_seed(0)
    deviations = torch.tensor([8.0, 4, 2, 1]).double()
    x = torch.randn(20_000, 4, generator=generator).double() * deviations @ axes + 3
    same_lines(principal(x), axes, 1e-3)


def test_regression_finds_the_latents_behind_activations() -> None:
    """y = A z, with z ~ N(0, I): the change of z that comes with a deviation is a unit right singular vector."""
    left, right = rotation(30, 1)[:, :4], rotation(4, 2)
    z = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0)).double()
    y = z @ (left @ torch.diag(torch.tensor([8.0, 4, 2, 1]).double()) @ right).T
    found = regressed(y[:1500], z[:1500])
    same_lines(found, right, 0.02)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4).double(), atol=0.1, rtol=0)


def test_the_sign_does_not_depend_on_the_library() -> None:
    found = sefa(torch.randn(6, 20, generator=torch.Generator().manual_seed(0)))
    assert (found.gather(1, found.abs().argmax(1, keepdim=True)) > 0).all()


# ------------------------------------------------------------------------------------------------ models


def test_sefa_of_styles_is_of_the_layers_that_take_them() -> None:
    gan = bands()
    for layers, chosen in ((None, range(4)), ("1-2", (1, 2))):
        found = find(gan, Finder("sefa", layers))
        weight = torch.cat([gan.G.affine[i].weight for i in chosen]).double()
        expected = torch.linalg.eigh(weight.T @ weight).eigenvectors.T.flip(0)
        same_lines(found[:, chosen[0]], expected, 1e-6)
        others = [i for i in range(4) if i not in chosen]
        assert not found[:, others].any()
        assert found[:, chosen[0]].any(1).all()


def test_principal_components_of_styles_have_the_length_of_their_deviation() -> None:
    gan = bands()
    covariance = (gan.G.mapping.weight @ gan.G.mapping.weight.T).double()
    values, vectors = torch.linalg.eigh(covariance)
    found = find(gan, Finder("pca"))
    same_lines(found[:2, 0], vectors.T.flip(0)[:2], 0.02)
    torch.testing.assert_close(found[:, 0].norm(dim=1).double(), values.flip(0).sqrt(), rtol=0.1, atol=0)


def test_sefa_of_noise_is_of_the_first_layer() -> None:
    gan: Any = make("gan", z_dim=6).eval()
    weight = next(gan.G.parameters()).detach().double()
    rank = len(weight)  # of the other directions the layer sees nothing
    expected = torch.linalg.eigh(weight.T @ weight).eigenvectors.T.flip(0)
    same_lines(find(gan, Finder())[:rank], expected[:rank], 1e-6)
    same_lines(find(gan, Finder("pca"))[:1], expected[:1], 0.05)  # z is white


@pytest.mark.parametrize("by", ["sefa", "pca"])
@pytest.mark.parametrize("name", registry.able(Samples))
def test_every_model_that_samples_has_directions_of_its_noise(name: str, by: Any) -> None:
    gan: Any = make(name).eval().requires_grad_(False)
    found = find(gan, Finder(by))
    z = gan.prior(1)
    if found.dim() == 2:
        assert found.shape[1] == z.shape[1]
        assert not found[:, getattr(gan, "noise_axes", z.shape[1]) :].any()
    assert found.isfinite().all()
    assert torch.equal(found, find(gan, Finder(by)))


def test_a_model_whose_layers_do_not_see_w_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = bands()
    synthesise = gan.synthesise
    monkeypatch.setattr(gan, "synthesise", lambda w: synthesise(w * 2))
    with pytest.raises(UserError, match="give --by pca"):
        find(gan, Finder())


def test_a_path_is_straight_and_even() -> None:
    path = along(torch.ones(1, 3), torch.tensor([1.0, 0, -1]), 2.0, 5)
    assert torch.equal(path[2], torch.ones(3))
    assert torch.equal(path[:, 0], torch.tensor([-1.0, 0, 1, 2, 3]))


# ---------------------------------------------------------------------------------------------- the commands


def test_a_row_is_the_walk_along_its_direction(cli: Cli, run: Path) -> None:
    assert cli("sample", run, "--directions", 3, "--seeds", 5, "--reach", 2, "--cols", 5, "--out", "rows.png").code == 0
    rows = pixels("rows.png")
    assert rows.shape == (3 * 34 + 2, 5 * 34 + 2, 3)
    for i in range(3):
        walk = ("--direction", i, "--seeds", 5, "--reach", 2, "--frames", 5, "--strip", "--out", "walk.png")
        assert cli("interpolate", run, *walk).code == 0
        assert np.array_equal(pixels("walk.png")[2:34], rows[2 + 34 * i : 34 + 34 * i])
    assert cli("sample", run, "--seeds", 5, "--cols", 1, "--out", "own.png").code == 0
    assert np.array_equal(pixels("own.png")[2:34, 2:34], rows[2:34, 2 + 2 * 34 : 2 + 2 * 34 + 32])
    assert read_about(Path("rows.png"))["directions"]["by"] == "sefa"


def test_a_direction_is_named_and_used_by_its_name(cli: Cli, once: Once, tmp_path: Path) -> None:
    train(cli, tmp_path)
    walk = ("--seeds", 1, "--frames", 3, "--strip", "--by", "pca", "--layers", "fine")
    assert cli("interpolate", "run", "--direction", 2, *walk, "--name", "smile", "--out", "a.png").code == 0
    assert Path("run/directions/smile.direction").stat().st_size < 1000
    assert cli("interpolate", "run", "--direction", "smile", "--seeds", 1, *walk[2:5], "--out", "b.png").code == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    assert cli("check", "run").code == 0
    again = cli("interpolate", "run", "--direction", 1, *walk, "--name", "smile", "--out", "c.png")
    assert (again.code, len(again.err.splitlines())) == (2, 1)
    assert "exists" in again.err
    assert not Path("c.png").exists()
    unknown = cli("interpolate", "run", "--direction", "frown")
    assert (unknown.code, len(unknown.err.splitlines())) == (2, 1)
    assert "one of: smile" in unknown.err


def test_a_run_folder_of_others_does_not_lead_elsewhere(cli: Cli, tmp_path: Path) -> None:
    train(cli, tmp_path)
    Path("elsewhere").mkdir()
    Path("run/directions").symlink_to(Path("elsewhere").resolve())
    result = cli("interpolate", "run", "--direction", 1, "--name", "smile", "--out", "x.gif")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "is a link" in result.err
    assert not list(Path("elsewhere").iterdir())


def test_models_without_styles_have_directions_too(cli: Cli, trained: Trained) -> None:
    dcgan = trained("dcgan", "dcgan", "--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)
    for by in ("sefa", "pca"):
        assert cli("sample", dcgan, "--directions", 6, "--by", by, "--out", "rows.png").code == 0
    assert cli("interpolate", dcgan, "--direction", 5, "--frames", 3, "--strip").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sample", "--directions", 7), "this model has 6"),
        (("sample", "--directions", 2, "--out", "x"), "give a .png file"),
        (("sample", "--directions", 2, "--layers", "8"), "style layers 0 to 3"),
        (("interpolate", "--direction", 6), "directions 0 to 5"),
        (("interpolate", "--direction", "../x"), "begins with a letter"),
        (("interpolate", "--direction", 1, "--axis", 1), "cannot be combined"),
        (("interpolate", "--direction", 1, "--space", "z"), "leave --space z out"),
        (("interpolate", "--name", "smile"), "give --direction NUMBER too"),
        (("interpolate", "--direction", 1, "--name", "a b"), "begins with a letter"),
    ],
)
def test_what_is_wrong_is_one_line(cli: Cli, run: Path, words: tuple[object, ...], said: str) -> None:
    result = cli(words[0], run, *words[1:])
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert said in result.err
    assert not list(Path().iterdir()) or not list(Path().glob("*.png"))
