"""A cache of the test's own, with nothing in it yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gancli.system import cache


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GANCLI_CACHE", str(tmp_path / "cache"))
    cache.root.cache_clear()
    yield tmp_path / "cache"
    cache.root.cache_clear()
