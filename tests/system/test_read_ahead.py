"""Reading ahead changes nothing but the time it takes."""

import threading
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gancli.system.read_ahead import in_order


@given(st.lists(st.integers(), max_size=30), st.integers(1, 4), st.integers(1, 8))
@settings(max_examples=30)
def test_order_is_kept(items: list[int], threads: int, ahead: int) -> None:
    assert list(in_order(lambda x: x + 1, items, threads, ahead)) == [x + 1 for x in items]


@given(st.integers(1, 4), st.integers(1, 8), st.integers(1, 20))
@settings(max_examples=30)
def test_no_more_than_asked_is_begun(threads: int, ahead: int, taken: int) -> None:
    begun: list[int] = []
    results = in_order(begun.append, count(), threads, ahead)
    for _ in range(taken):
        next(results)
    results.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert len(begun) <= taken + ahead - 1


def test_the_next_is_read_meanwhile() -> None:
    second = threading.Event()
    results = in_order(lambda x: second.set() if x else None, [0, 1, 2], 1, 2)
    next(results)
    assert second.wait(10)


def test_what_fails_fails_in_its_place() -> None:
    results = in_order(lambda x: 1 // x, [1, 0, 1], 2, 3)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
