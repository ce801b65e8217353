"""Styles in sample and interpolate: truncation towards the mean, walks in w, and mixing by layer."""

import json
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gancli.checkpoints.find import Model, find_model
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.images.writing import read_about
from gancli.inference.sampling.draw import draw, latent_of
from gancli.inference.sampling.mixing import table
from gancli.inference.sampling.styles import MOST_PSI, check_psi, parse_layers, steered, styles_of
from gancli.inference.sampling.truncation import refusal, way_of
from gancli.inference.sampling.walks.walk import Walk, frames_of
from tests.conftest import Cli, Once, Trained
from tests.inference.bands import SPEC, bands, trained
from tests.inference.tiny_styled import HParams, TinyStyled

MODEL = cast(Model, None)  # only errors name it
LAYERS = 4


@pytest.fixture
def run(cli: Cli, once: Once) -> Path:
    return trained(cli, once)


@pytest.fixture
def gan() -> Any:
    return bands()


def latents(gan: Any, count: int = 5) -> torch.Tensor:
    return torch.cat([latent_of(gan, seed, None) for seed in range(count)])


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# -------------------------------------------------------------------------------------------------- layers


def test_layers_by_number_and_by_name() -> None:
    assert parse_layers("4-7", 18) == (4, 5, 6, 7)
    assert parse_layers("0,2, 5 - 6", 8) == (0, 2, 5, 6)
    assert parse_layers(None, 3) == (0, 1, 2)


@given(st.integers(3, 40))
def test_thirds_are_all_layers_once_and_in_order(count: int) -> None:
    parts = [parse_layers(name, count) for name in ("coarse", "middle", "fine")]
    assert sum(parts, ()) == tuple(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "4", "3-9", "-1", "2-1", "crude", "1;2", "0x1", "9" * 9])
def test_other_layers_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="style layers 0 to 3: give numbers and ranges"):
        parse_layers(text, LAYERS)


def test_thirds_of_two_layers_are_refused() -> None:
    with pytest.raises(UserError, match="style layers 0 to 1"):
        parse_layers("coarse", 2)


# ---------------------------------------------------------------------------------------------- truncation


def test_psi_0_is_the_mean_and_psi_1_is_off(gan: Any) -> None:
    z = latents(gan)
    torch.testing.assert_close(steered(gan, z, 0.0), gan.mean_styles(z), rtol=0, atol=0)
    assert steered(gan, z, 1.0) is z
    assert steered(gan, z, None) is z


def test_psi_scales_the_distance_from_the_mean(gan: Any) -> None:
    z = latents(gan)
    w, mean = styles_of(gan, z), gan.mean_styles(z)
    for psi in (0.3, 0.7, 1.5):
        torch.testing.assert_close(steered(gan, z, psi) - mean, psi * (w - mean))


def test_only_the_named_layers_are_truncated(gan: Any) -> None:
    z = latents(gan)
    w, mean = styles_of(gan, z), gan.mean_styles(z)
    moved = steered(gan, z, 0.0, "1-2")
    assert torch.equal(moved[:, [1, 2]], mean[:, [1, 2]])
    assert torch.equal(moved[:, [0, 3]], w[:, [0, 3]])


def test_each_latent_has_the_mean_of_its_own(gan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a class: here its first number tells it."""
    monkeypatch.setattr(gan, "mean_styles", lambda z: z[:, :1, None].expand(-1, LAYERS, 6))
    z = latents(gan)
    torch.testing.assert_close(steered(gan, z, 0.0), z[:, :1, None].expand(-1, LAYERS, 6))


@pytest.mark.parametrize("psi", [-0.1, MOST_PSI + 0.1, float("nan"), float("inf")])
def test_other_psi_are_refused(psi: float) -> None:
    with pytest.raises(UserError, match="give psi, from 0"):
        check_psi(psi)


def test_a_model_with_styles_needs_no_d_and_a_way_of_its_own_comes_first() -> None:
    assert (way_of(TinyStyled), refusal(TinyStyled, ["G"])) == ("w towards its mean", None)

    class Bounded(TinyStyled):
        truncates_by = "latents with |z| <= T"

        def truncated(self, n: int, truncation: float) -> torch.Tensor:
            return self.prior(n).clamp(-truncation, truncation)

    own = Bounded(HParams(), SPEC)
    assert way_of(Bounded) == "latents with |z| <= T"
    z = latents(own)
    assert steered(own, z, 0.5) is z


def test_metadata_and_info_say_the_way_and_like_repeats_it(cli: Cli, run: Path) -> None:
    seeds = ("--seeds", "1,2", "--truncation", 0.4)
    assert cli("sample", run, *seeds, "--layers", "0-1", "--out", "a.png").code == 0
    said = read_about(Path("a.png"))
    assert (said["truncation"], said["truncated_by"], said["layers"]) == (0.4, "w towards its mean", "0-1")
    assert cli("sample", "--like", "a.png", "--out", "b.png").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert cli("sample", run, *seeds, "--out", "c.png").code == 0
    assert not np.array_equal(pixels("a.png"), pixels("c.png"))
    assert way_of(type(load_model(find_model(str(run))))) == "w towards its mean"


def test_one_is_off_and_zero_gives_one_image(cli: Cli, run: Path) -> None:
    for psi in (0, 1):
        assert cli("sample", run, "-n", 4, "--truncation", psi, "--out", f"{psi}.npz").code == 0
    assert cli("sample", run, "-n", 4, "--out", "off.npz").code == 0
    same, off, plain = (np.load(f"{name}.npz")["images"] for name in ("0", "1", "off"))
    assert np.array_equal(off, plain)
    assert all(np.array_equal(image, same[0]) for image in same)
    assert not np.array_equal(plain[0], plain[1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--truncation", 3), "give psi, from 0"),
        (("--truncation", 0.5, "--layers", "7"), "style layers 0 to 3"),
        (("--layers", "1"), "layers are chosen for --mix"),
        (("--mix", "0-1", "2", "--layers", "9"), "style layers 0 to 3"),
        (("--mix", "0-1", "x"), "--mix x: give seeds"),
        (("--mix", "0-1", "no.latent"), "no.latent: No such file"),
        (("--mix", "0-1", "2", "--out", "a.npz"), "give a .png file"),
        (("--mix", "0", "1", "--near", "x.png"), "cannot be combined"),
        (("--mix", "0", "1", "--seeds", "3"), "leave --seeds out"),
    ],
)
def test_what_is_wrong_is_one_line(cli: Cli, run: Path, options: tuple[object, ...], said: str) -> None:
    before = set(Path().iterdir())
    result = cli("sample", run, *options)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert said in result.err
    assert set(Path().iterdir()) == before


# -------------------------------------------------------------------------------------------------- walks


def test_walks_are_straight_in_w_unless_z_is_asked_for(gan: Any) -> None:
    z = latents(gan, 2)
    path, _ = frames_of(Walk(seeds=(0, 1), frames=5), gan, MODEL)
    w = styles_of(gan, z)
    torch.testing.assert_close(path[2], w.mean(0))
    torch.testing.assert_close(path[[0, -1]], w, rtol=0, atol=0)
    around, _ = frames_of(Walk(seeds=(0, 1), frames=5, space="z"), gan, MODEL)
    assert around.shape == (5, 6)
    torch.testing.assert_close(around[0], z[0])
    assert (styles_of(gan, around)[2] - w.mean(0)).abs().max() > 1e-3  # an arc in z is none in w


@pytest.mark.parametrize("space", ["z", "w"])
def test_truncation_moves_the_whole_walk(gan: Any, space: Literal["z", "w"]) -> None:
    path, _ = frames_of(Walk(seeds=(0, 1), frames=4, space=space, truncation=0.0), gan, MODEL)
    torch.testing.assert_close(path, gan.mean_styles(torch.zeros(4, 6)), rtol=0, atol=1e-6)


def test_the_ends_of_a_walk_are_what_sample_generates(cli: Cli, run: Path) -> None:
    assert cli("sample", run, "--seeds", "3,8", "--truncation", 0.6, "--cols", 2, "--out", "ends.png").code == 0
    for space in ("w", "z"):
        walk = ("--seeds", "3,8", "--truncation", 0.6, "--frames", 2, "--strip", "--space", space, "--out", "walk.png")
        assert cli("interpolate", run, *walk).code == 0
        assert np.array_equal(pixels("walk.png"), pixels("ends.png"))
        assert read_about(Path("walk.png"))["walk"]["truncated_by"] == "w towards its mean"


def test_grids_loops_and_axes_of_a_model_with_styles(cli: Cli, run: Path) -> None:
    for options in (("--grid",), ("--loop", "--strip"), ("--axis", 2, "--strip"), ("--grid", "--space", "z")):
        result = cli("interpolate", run, *options, "--frames", 9, "--out", "x.png")
        assert result.code == 0, result.err
    assert cli("interpolate", run, "--axis", 6).code == 2


def test_w_needs_styles(cli: Cli, trained: Trained) -> None:
    dcgan = trained("dcgan", "dcgan", "--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)
    for words in (("interpolate", dcgan, "--space", "w"), ("sample", dcgan, "--mix", "0", "1")):
        result = cli(*words)
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert "has no styles" in result.err


# -------------------------------------------------------------------------------------------------- mixing


def test_a_cell_takes_the_named_layers_from_its_column(gan: Any) -> None:
    """A band of the image belongs to each layer."""
    w = styles_of(gan, latents(gan))
    sides, tops = w[:2], w[2:]
    shown = draw(gan, table(sides, tops, (1, 2)))
    alone_of_rows, alone_of_columns = draw(gan, sides), draw(gan, tops)
    assert np.array_equal(shown[:3], alone_of_columns)
    for r in range(2):
        row = shown[3 + 4 * r : 7 + 4 * r]
        assert np.array_equal(row[0], alone_of_rows[r])
        for c in range(3):
            assert np.array_equal(row[1 + c][2:6], alone_of_columns[c][2:6])
            assert np.array_equal(row[1 + c][:2], alone_of_rows[r][:2])
            assert np.array_equal(row[1 + c][6:], alone_of_rows[r][6:])
            assert not np.array_equal(row[1 + c], alone_of_rows[r])


def test_the_table_has_its_sources_in_the_first_row_and_column(cli: Cli, run: Path) -> None:
    assert cli("sample", run, "--mix", "0-1", "2-4", "--layers", "fine", "--out", "mix.png").code == 0
    assert cli("sample", run, "--seeds", "2-4", "--cols", 3, "--out", "top.png").code == 0
    table_, top = pixels("mix.png"), pixels("top.png")
    assert table_.shape == (3 * 34 + 2, 4 * 34 + 2, 3)
    assert (table_[:34, :34] == 255).all()
    assert np.array_equal(table_[2:34, 36:], top[2:34, 2:])
    said = read_about(Path("mix.png"))["mix"]
    assert (said["rows"], said["columns"], said["layers"]) == ([0, 1], [2, 3, 4], [2, 3])
    assert (
        cli("sample", run, "--mix", "0-1", "2-4", "--json", "--out", "mix.png").out
        == json.dumps({"files": ["mix.png"], "seeds": []}) + "\n"
    )
