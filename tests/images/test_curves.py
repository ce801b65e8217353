"""Curves: a panel for everything that was logged, whenever it was, and a picture in the run's folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from gancli.images.curves import COLUMNS, save_curves
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
