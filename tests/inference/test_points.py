"""Points: their modes and networks, and through the command line trained, scored, plotted and walked through."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from gancli.data.request import Wanted
from gancli.data.sources import builtin
from gancli.data.spec import DataSpec
from gancli.data.synthetic import points
from gancli.errors import UserError
from gancli.evaluation.known_truth import points as points_metric
from gancli.images import scatter
from tests.conftest import Cli
from tests.variants.small import make

STEPS = ("--steps", 6, "--batch", 16, "--width", 8, "--out", "run", "--device", "cpu")


def train(cli: Cli, *options: object) -> dict:
    result = cli("train", "wgan-gp", "--data", "ring8", *STEPS, "--json", *options)
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.usefixtures("plots_are_drawn")
def test_points_are_plotted_and_scored(cli: Cli) -> None:
    found = train(cli)
    assert set(found["metrics"]) == {"modes_hit", "share_within_3_sigma"}
    for path in ("run/reals.png", "run/samples/000000096.png"):
        with Image.open(path) as picture:
            assert picture.width == picture.height == 600
    cli("sample", "run", "-n", 5, "--out", "x.npz")
    assert np.load("x.npz")["points"].shape == (5, 2)
    assert cli("sample", "run", "-n", 5, "--out", "x.png").code == 0
    assert cli("interpolate", "run", "--frames", 8, "--out", "w.png").code == 0
    assert "a walk of a point model" in cli("interpolate", "run", "--frames", 8, "--out", "w.gif").err
    assert "for a point model" in cli("sample", "run", "-n", 5, "--out", "folder").err


@pytest.mark.parametrize(("options", "lr", "gp"), [((), 1e-3, 0.1), (("--lr", 1e-4, "--gp-weight", 10), 1e-4, 10)])
def test_points_have_settings_of_their_own_and_what_is_named_comes_first(
    cli: Cli, options: tuple[object, ...], lr: float, gp: float
) -> None:
    train(cli, *options)
    with open("run/run.json", encoding="utf-8") as file:
        hparams = json.load(file)["hparams"]
    assert (hparams["lr"], hparams["gp_weight"], hparams["batch"]) == (lr, gp, 16)


@pytest.mark.parametrize(("name", "modes"), [("ring8", 8), ("grid25", 25)])
def test_the_data_hit_every_mode_and_a_collapse_does_not(name: str, modes: int) -> None:
    mixture, real = points.MIXTURES[name], points.draw(name, 2500, seed=1)[:, :, 0, 0]
    found = points_metric.score(mixture, real)
    assert found["modes_hit"] == modes
    assert found["share_within_3_sigma"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    collapsed = points_metric.score(mixture, real[:1].repeat(100, 0))
    assert collapsed["modes_hit"] == 1
    noise = points_metric.score(mixture, torch.randn(2500, 2).numpy())
    assert noise["share_within_3_sigma"] < 0.2


def test_points_have_no_size() -> None:
    with pytest.raises(UserError, match="--size"):
        builtin.open_builtin("ring8", Wanted(size=(8, 8)))


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "sngan", "dragan", "ebgan", "began", "fgan", "ragan"])
def test_points_get_networks_without_bounds(name: str) -> None:
    gan: Any = make(name, DataSpec(2, 1, 1))
    assert not any(isinstance(m, nn.Conv2d | nn.Tanh) for m in gan.modules())
    with torch.no_grad():
        assert gan.generate(1000 * gan.prior(50)).abs().max() > 1


@pytest.fixture
def figures_of(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    seen: list[Figure] = []

    def savefig(figure: Figure, path: Any, dpi: float, **_: Any) -> None:
        figure.set_dpi(dpi)
        seen.append(figure)
        Image.new("L", (1, 1)).save(path, "PNG")

    monkeypatch.setattr(Figure, "savefig", savefig)
    return seen


def test_all_plots_of_a_run_have_a_title_the_data_behind_and_the_same_axes(cli: Cli, figures_of: list[Figure]) -> None:
    """The reals, samples in training, samples of any number, a walk, and a mesh."""
    train(cli)
    commands = (
        ("sample", "run", "-n", 5, "--out", "x.png"),
        ("interpolate", "run", "--frames", 8, "--out", "w.png"),
        ("interpolate", "run", "--grid", "--frames", 16, "--out", "g.png"),
    )
    assert [cli(*words).code for words in commands] == [0, 0, 0]
    plots = [figure.axes[0] for figure in figures_of if figure.axes[0].get_aspect() == 1]
    titles = [axes.get_title() for axes in plots]
    assert titles[0] == "ring8"
    assert titles[1] == "wgan-gp on ring8, 0 kimg"
    assert set(titles[2:]) == {"wgan-gp on ring8, 0.096 kimg"}
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in plots}) == 1
    assert all("real" in axes.get_legend_handles_labels()[1] for axes in plots)
    walk, mesh = plots[-2:]
    assert len(np.asarray(walk.lines[0].get_xdata())) == 8
    sides = [np.asarray(line.get_xydata()) for line in mesh.lines]
    assert [len(side) for side in sides] == [4] * 8  # rows and columns
    assert np.array_equal(np.stack(sides[:4]), np.stack(sides[4:]).transpose(1, 0, 2))


def test_plots_are_scaled_and_have_no_captions(cli: Cli, figures_of: list[Figure]) -> None:
    train(cli)
    figures_of.clear()
    assert cli("sample", "run", "-n", 5, "--scale", 2, "--out", "x.png").code == 0
    assert figures_of[0].get_dpi() == 240
    for words in (("sample", "run", "-n", 5), ("interpolate", "run", "--frames", 4)):
        told = cli(*words, "--captions", "--out", "y.png")
        assert (told.code, told.err.count("\n")) == (2, 1)
        assert "--captions: a plot of points has no cells" in told.err


def test_points_of_data_that_are_not_known_set_the_view_themselves() -> None:
    fake = np.array([[0.5, -4.0]], np.float32)
    assert scatter.Plot(fake=fake).view == pytest.approx(5)
    assert scatter.Plot(behind=scatter.Background.of(fake / np.float32(2)), fake=fake).view == pytest.approx(2.5)
