"""The log of a run: a broken line costs no other line, and curves are drawn of whatever it holds."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gancli.checkpoints import ticks
from gancli.checkpoints.run_folder import Folder
from gancli.images import curves
from tests.checkpoints.runs import resumes, state
from tests.conftest import Cli

BROKEN = {
    "infinite seconds": '{"step": 2, "images": 8, "seconds": Infinity}',
    "seconds beyond all floats": '{"step": 2, "images": 8, "seconds": 1e999}',
    "seconds that are none": '{"step": 2, "images": 8, "seconds": NaN}',
    "400 digits": f'{{"step": 2, "images": 8, "seconds": 1, "a": {10**400}}}',
    "a step of 400 digits": f'{{"step": {10**400}, "images": 8, "seconds": 1}}',
    "half a step": '{"step": 2.5, "images": 8, "seconds": 1}',
    "a word": '{"step": 2, "images": 8, "seconds": 1, "a": "x"}',
    "true": '{"step": 2, "images": 8, "seconds": 1, "a": true}',
    "no step": '{"images": 8, "seconds": 1}',
    "cut": '{"step": 2, "images": 8, "sec',
    "deep": "[" * 100_000,
    "no end": f'{{"step": 2, "images": 8, "seconds": 1{" " * 2**20}}}',
    "no json": "hello",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_line_costs_no_other_line(cli: Cli, run: Path, what: str) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    lines[1:1] = [BROKEN[what]]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    damaged = (run / "metrics.jsonl").read_bytes()
    result = resumes(cli)
    assert result.code == 0, result.err
    assert "metrics.jsonl: line 2 cannot be read: log copied to metrics.jsonl.damaged" in result.out
    assert (run / "metrics.jsonl.damaged").read_bytes() == damaged
    assert [tick["step"] for tick in Folder(run).ticks()] == [1, 2, 3, 4, 5, 6]


def test_a_last_line_that_a_crash_cut_goes_without_a_word(cli: Cli, run: Path) -> None:
    with (run / "metrics.jsonl").open("ab") as log:
        log.write(b'{"step": 5, "images"')
    result = resumes(cli)
    assert (result.code, "damaged" in result.out) == (0, False)
    assert not (run / "metrics.jsonl.damaged").exists()
    assert [tick["step"] for tick in Folder(run).ticks()] == [1, 2, 3, 4, 5, 6]


def test_a_log_larger_than_any_is_refused(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "LARGEST", 100)
    before = state()
    result = resumes(cli)
    assert (result.code, "metrics.jsonl cannot be read: it has more than 100 bytes" in result.err) == (2, True)
    assert state() == before


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
names = st.text(max_size=9).filter(lambda name: name not in ("step", "images", "seconds"))


@given(st.lists(st.dictionaries(names, numbers, max_size=4), max_size=6))
def test_a_log_gives_back_what_was_added(tmp_path_factory: pytest.TempPathFactory, terms: list[dict[str, Any]]) -> None:
    """Names may hold what ends a line elsewhere, and half of a character."""
    folder = Folder(tmp_path_factory.mktemp("log"))
    told = [{"step": i, "images": 4 * i, "seconds": i / 2, **more} for i, more in enumerate(terms)]
    for tick in told:
        folder.append([tick])
    assert folder.ticks() == told
    assert folder.rewind(2) is None
    assert folder.ticks() == told[:3]


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.append([{"step": 0, "images": 0, "seconds": 0.0, "fid": math.nan, "kid": math.inf}])
    assert '"fid": null, "kid": null' in folder.log.read_text()
    assert folder.ticks()[0]["fid"] is None


HOSTILE = {
    "3,000 names": [{f"term {i:04d}": 1.0 for i in range(3000)}, {"term 2999": 2.0}],
    "no formula": [{r"$\frac{$": 1.0, "$" * 9: 2.0, "\\": 3.0, "\x1b[31m\n": 1.0, "猫" * 500: 1.0, "": 1.0}],
    "numbers without end": [{"a": 1e308}, {"a": -1e308}, {"a": 10**300}, {"a": 1.0}],
    "no numbers": [{"a": None}, {"a": None}],
    "no speed": [{"fid": 1.0}],
}


@pytest.mark.usefixtures("plots_are_drawn")
@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("what", HOSTILE)
def test_curves_are_drawn_of_any_log(cli: Cli, run: Path, what: str) -> None:
    place = {"step": 4, "images": 16, "seconds": 1.0}
    Folder(run).append([place | terms for terms in HOSTILE[what]])
    (run / "curves.png").unlink()
    assert resumes(cli).code == 0
    with Image.open(run / "curves.png") as picture:
        assert max(picture.size) < 10_000


def test_the_names_that_come_most_often_have_a_panel() -> None:
    told = [{"images": 4, **{f"x{i}": 1.0 for i in range(3000)}}, *[{"images": 8, "loss": 1.0}] * 2]
    shown = curves.names(told)
    assert "loss" in shown
    assert len(shown) == curves.MOST_PANELS
