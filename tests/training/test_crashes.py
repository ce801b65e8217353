"""Runs that are killed and starved at random moments; tests/dev/crashes.py says how."""

import sys

import pytest

from tests import children


def crashes(trials: int) -> str:
    done = children.run([sys.executable, "-m", "tests.dev.crashes", trials], timeout=3600)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.processes
def test_a_few_crashes_lose_nothing() -> None:
    assert "6 trials" in crashes(6)


@pytest.mark.processes
@pytest.mark.slow
def test_200_crashes_lose_nothing() -> None:
    assert "200 trials" in crashes(200)
