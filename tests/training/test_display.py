"""The live display on a terminal that is narrow, or becomes narrower: no word is wrapped, no old line is left."""

import io
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gancli.gan import Clock
from gancli.system import progress
from gancli.training.output.display import Plain
from gancli.training.output.live import BARS, POINTS, Fancy, sparkline

CODES = re.compile(r"\x1b\[(\?25[lh]|[\d;]*m|2K|1A)|\r|\n|[^\x1b\r\n]+")


class Terminal:
    """The part of a terminal that Rich's live displays use. Like most, it wraps its lines anew when it is resized."""

    def __init__(self, width: int) -> None:
        self.width, self.rows, self.joined, self.row = width, [""], [False], 0

    def feed(self, text: str) -> None:
        for match in CODES.finditer(text):
            code = match[0]
            if code == "\n":
                self.row += 1
                if self.row == len(self.rows):
                    self._add("", joined=False)
            elif code == "\x1b[1A":
                self.row = max(0, self.row - 1)
            elif code == "\x1b[2K":
                self.rows[self.row], self.joined[self.row] = "", False
            elif not code.startswith(("\x1b", "\r")):
                self._write(code)

    def _add(self, text: str, joined: bool) -> None:
        self.rows.append(text)
        self.joined.append(joined)

    def _write(self, text: str) -> None:
        line = self.rows[self.row] + text  # what is drawn anew was cleared before
        self.rows[self.row] = line[: self.width]
        for start in range(self.width, len(line), self.width):
            self._add(line[start : start + self.width], joined=True)
            self.row += 1

    def resize(self, width: int) -> None:
        lines: list[str] = []
        for row, joined in zip(self.rows[: self.row + 1], self.joined):  # below the cursor, all is empty
            lines[len(lines) - joined :] = [(lines[-1] if joined else "") + row]
        self.__init__(width)
        self.rows, self.joined = [], []
        for line in lines:
            for start in range(0, max(1, len(line)), width):
                self._add(line[start : start + width], joined=start > 0)
        self.row = len(self.rows) - 1


class Shown:
    """A live display on such a terminal."""

    def __init__(self, width: int) -> None:
        self._file = io.StringIO()
        self.console = Console(
            file=self._file, force_terminal=True, width=width, height=40, legacy_windows=False, color_system=None
        )
        self.display, self.terminal = Fancy(self.console), Terminal(width)
        self.display._live.auto_refresh = False

    def refresh(self) -> list[str]:
        self.display._live.refresh()
        self.terminal.feed(self._file.getvalue())
        self._file.seek(0)
        self._file.truncate()
        return [row.rstrip() for row in self.terminal.rows if row.strip()]

    def resize(self, width: int) -> None:
        self.terminal.resize(width)
        self.console.width = width

    def step(self, i: int) -> None:
        self.display.advance(Clock(i, i * 1000, 50_000))
        self.display.tick({"step": i, "images": i, "D/adversarial": float(i), "G/adversarial": -float(i)})


@settings(max_examples=40)
@given(st.lists(st.integers(12, 130), min_size=1, max_size=6), st.integers(12, 130))
def test_no_line_is_left_after_any_changes_of_the_width(widths: list[int], first: int) -> None:
    shown = Shown(first)
    with shown.display:
        shown.step(1)
        assert len(shown.refresh()) == 3
        for i, width in enumerate(widths, start=2):
            shown.resize(width)
            shown.step(i)
            rows = shown.refresh()
            assert len(rows) == 3, rows  # two terms and the progress, once each
            assert max(map(len, rows)) < width


def test_what_was_printed_above_stays() -> None:
    shown = Shown(100)
    with shown.display:
        shown.display.note("the plan")
        shown.step(1)
        shown.refresh()
        shown.resize(30)
        shown.step(2)
        assert shown.refresh()[0] == "the plan"


PRESET = (
    "preset    quick: width 32, z_dim 12, batch 32, lr 0.002, mapping 2 (for this data and device; options override it)"
)
RESUME = (
    "next      gancli train rpgan --data './all of my pictures' --size 64 --minutes 4 --out runs/rpgan-all-1 --resume"
)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_plan_is_wrapped_at_words_below_its_headings(width: int) -> None:
    shown = Shown(width)
    with shown.display:
        shown.display.note(PRESET)
        first, *others = shown.refresh()
    assert " ".join(" ".join([first, *others]).split()) == " ".join(PRESET.split())
    assert first.startswith("preset    quick")
    assert others
    assert all(row.startswith(" " * 10) and row[10] != " " for row in others)


def test_a_command_is_printed_as_one_line_so_that_it_can_be_copied() -> None:
    shown = Shown(60)
    with shown.display:
        shown.display.note(RESUME)
        shown.refresh()
    assert "".join(shown.terminal.rows).rstrip() == RESUME


@pytest.mark.parametrize("width", [200, 80, 60, 40, 20])
def test_words_are_left_out_whole(width: int) -> None:
    shown = Shown(width)
    with shown.display:
        for i in range(1, 40):
            shown.step(i)
        *_, said = shown.refresh()
    words = said.replace("━", "").split()
    assert "78%" in words
    assert {word for word in words if word.isalpha()} <= {"kimg", "left", "s", "min", "h", "d"}
    assert not any(word.endswith("…") and len(word) > 1 for word in words)
    assert ("━" in said) == (width >= 80 or "━" in said)


def test_other_work_has_a_line_until_it_is_done() -> None:
    shown = Shown(80)
    with shown.display:
        shown.step(1)
        shown.display.working("training the local extractor", 64, 640)
        assert shown.refresh()[-1] == "training the local extractor: 64 of 640"
        shown.display.working("training the local extractor", 640, 640)
        assert "extractor" not in "".join(shown.refresh())


@settings(max_examples=40)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000))
def test_a_sparkline_is_of_the_whole_run(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == min(len(values), POINTS)
    assert set(line) <= set(BARS)


@settings(max_examples=40)
@given(st.lists(st.floats(), min_size=1, max_size=3 * POINTS))
def test_a_number_that_is_not_finite_has_no_bar(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == min(len(values), POINTS)
    if len(values) <= POINTS:
        assert [bar == " " for bar in line] == [not math.isfinite(value) for value in values]


def test_a_score_without_a_value_is_shown() -> None:
    """The mode divergence of a model without a valid sample is NaN."""
    shown = Shown(80)
    with shown.display:
        shown.step(1)
        shown.display.tick({"step": 1, "images": 1, "mode_kl": math.nan})
        assert any(row.split() == ["mode_kl", "nan"] for row in shown.refresh())


def test_a_rise_is_seen_however_long_ago_it_was() -> None:
    line = sparkline([0.0] * 1000 + [1.0] * 9000)
    assert line == BARS[0] * 3 + line[3] + BARS[-1] * 28
    assert sparkline([1.0, 2.0]) == BARS[0] + BARS[-1]


def test_lines_elsewhere_are_printed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    display = Plain(Console(file=stream, width=200))
    for i in range(1, 41):
        now[0] += 1
        display.working("features", i, 40)
    assert stream.getvalue().splitlines() == [
        "features: 16 of 40 images, 1.0 images/s, 24 s left",
        "features: 31 of 40 images, 1.0 images/s, 9 s left",
    ]


def test_a_bar_leaves_nothing_behind_and_gives_the_terminal_back() -> None:
    console: Any = Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)
    bar = progress.Bar(console)
    bar("features", 10, 40)
    bar("generated", 10, 40)
    bar.close()  # as after Ctrl-C
    text = console.file.getvalue()
    assert "generated" in text
    assert text.rstrip().endswith(("\x1b[?25h", "\x1b[2K"))
