"""Real images of a test's own, and a local extractor that trains for a few steps."""

from pathlib import Path

import pytest

from gancli.evaluation.extractors import local
from tests.evaluation.reports import blocks


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "STEPS", 12)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return blocks(tmp_path / "real", 40, 0)
