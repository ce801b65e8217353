"""What a report draws of a log: round marks, lines that keep their extremes, and values as they are."""

import math

from hypothesis import example, given
from hypothesis import strategies as some

from gancli.reporting.curves import averaged, marks, thinned
from gancli.reporting.grids import spread

NUMBER = some.floats(-1e6, 1e6)
LINES = some.lists(NUMBER, min_size=1, max_size=700).map(lambda values: list(enumerate(values)))


@given(LINES, some.integers(8, 60))
def test_a_thinned_line_keeps_its_ends_and_its_extremes(line: list[tuple[int, float]], most: int) -> None:
    kept = thinned(line, most)
    assert len(kept) <= max(most, 1)
    assert (kept[0], kept[-1]) == (line[0], line[-1])
    assert set(kept) <= set(line)
    assert kept == sorted(kept)
    values = [value for _, value in line]
    assert {min(values), max(values)} <= {value for _, value in kept}


@given(LINES)
def test_a_mean_lies_within_the_line_and_starts_and_ends_with_it(line: list[tuple[int, float]]) -> None:
    means = averaged(line)
    assert [x for x, _ in means] == [x for x, _ in line]
    assert math.isclose(means[0][1], line[0][1], abs_tol=1e-3)
    assert math.isclose(means[-1][1], line[-1][1], abs_tol=1e-3)
    low, high = min(value for _, value in line), max(value for _, value in line)
    assert all(low - 1e-3 <= value <= high + 1e-3 for _, value in means)


@given(NUMBER, some.floats(1e-6, 1e9), some.integers(2, 8))
@example(1.0, 400400401.0, 2)
def test_marks_are_round_and_on_the_axis(low: float, size: float, about: int) -> None:
    high = low + size
    found = marks(low, high, about)
    assert 1 <= len(found) <= about + 1
    slack = 1e-6 * (size + abs(low))
    assert all(low - slack <= mark <= high + slack for mark in found)


@given(some.lists(some.integers(), max_size=90), some.integers(2, 20))
def test_what_is_chosen_is_spread_over_all(items: list[int], most: int) -> None:
    chosen = spread(items, most)
    assert len(chosen) == min(len(items), most)
    assert chosen[:1] + chosen[-1:] == items[:1] + items[-1:]
