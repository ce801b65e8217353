"""Curves: a panel for everything that was logged, whenever it was, and a picture in the run's folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from gancli.images.curves import COLUMNS, save_curves, smoothed
from tests.conftest import Cli
from tests.training.test_resuming import QUICK

NAMES: tuple[str, ...] = ("D/adversarial", "G/adversarial", "G/content_loss", "frechet", "accuracy", "skipped")


def tick(step: int, values: dict[str, float]) -> dict[str, Any]:
    return {"step": step, "images": 4 * step, "seconds": 0.1 * step, "images_per_second": 40.0, **values}


def logs() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Logs in which a term may come late, now and then, or never, and lie anywhere."""
    value = st.floats(-1e9, 1e9)
    values = st.lists(st.dictionaries(st.sampled_from(NAMES), value), min_size=1, max_size=9)
    return values.map(lambda rows: [tick(i + 1, row) for i, row in enumerate(rows)])


@settings(max_examples=25)
@given(logs())
def test_everything_that_was_logged_has_a_panel_with_its_values(
    tmp_path_factory: pytest.TempPathFactory, ticks: list[dict[str, Any]]
) -> None:
    seen: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, path, **_: seen.append(figure) or Path(path).touch())
        save_curves(ticks, tmp_path_factory.getbasetemp() / "curves.png")
    logged = sorted({name for row in ticks for name in row if name in NAMES})
    if not logged:
        assert not seen
        return
    panels = {axes.get_title(): np.asarray(axes.lines[0].get_xydata()).tolist() for axes in seen[0].axes}
    assert list(panels) == [name.replace("_", " ") for name in (*logged, "images_per_second")]
    for name in logged:
        wanted = [[row["images"] / 1000, row[name]] for row in ticks if name in row]
        assert panels[name.replace("_", " ")] == wanted


@pytest.mark.usefixtures("plots_are_drawn")
def test_a_run_has_a_picture_of_its_curves(cli: Cli, pictures: Path) -> None:
    command = ("train", "gan", "--data", pictures, *QUICK, "--metrics", "none", "--out", "x")
    for more in (("--steps", 1), ("--steps", 3, "--resume")):
        assert cli(*command, *more).code == 0
        with Image.open("x/curves.png") as picture:
            assert picture.width == 400 * COLUMNS
            assert picture.height >= 260
            assert len(set(picture.convert("L").tobytes())) > 100  # lines and words on white, with soft edges
            Path("x/curves.png").unlink()


def test_without_a_step_there_are_no_curves(tmp_path: Path) -> None:
    save_curves([], tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=200))
def test_smoothing_is_a_weighted_mean_of_what_came_before(values: list[float]) -> None:
    """s_i is the sum of w^(i - j) x_j over the sum of w^(i - j), with w = 1 - 1 / max(3 % of all values, 2)."""
    w = 1 - 1 / max(0.03 * len(values), 2)
    for i, found in enumerate(smoothed(values)):
        weights = w ** np.arange(i, -1, -1.0)
        assert found == pytest.approx(weights @ values[: i + 1] / weights.sum(), abs=1e-6)
    assert smoothed([5.0] * len(values)) == pytest.approx([5.0] * len(values))


def drawn(ticks: list[dict[str, Any]], path: Path, title: str = "") -> Figure:
    seen: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, path, **_: seen.append(figure) or Path(path).touch())
        save_curves(ticks, path / "curves.png", title)
    return seen[0]


def test_a_long_curve_is_smoothed_over_its_raw_values(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=60).tolist()
    raw, smooth = drawn([tick(i, {"G/x": value}) for i, value in enumerate(values)], tmp_path).axes[0].lines
    assert raw.get_ydata() == pytest.approx(values)
    assert smooth.get_ydata() == pytest.approx(smoothed(values))
    assert raw.get_linewidth() < smooth.get_linewidth()
    (only,) = drawn([tick(i, {"G/x": value}) for i, value in enumerate(values[:9])], tmp_path).axes[0].lines
    assert only.get_ydata() == pytest.approx(values[:9])


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1, 99], "linear"), ([1, 101], "log"), ([0, 1e6], "linear"), ([-1, 1e6], "linear"), ([1e-6, 1], "log")],
)
def test_axes_are_logarithmic_where_values_span_decades(tmp_path: Path, values: list[float], scale: str) -> None:
    figure = drawn([tick(i, {"G/x": value}) for i, value in enumerate(values)], tmp_path)
    assert figure.axes[0].get_yscale() == scale


def test_the_title_is_the_run_s_name_whatever_it_holds(tmp_path: Path) -> None:
    for title in ("run-1: dcgan on faces", "$x^2", "\x1b[2J", ""):
        figure = drawn([tick(1, {"G/x": 1.0})], tmp_path, title)
        assert figure.get_suptitle() == ("\\x1b[2J" if "\x1b" in title else title)
