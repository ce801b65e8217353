"""What a test sees of a page: each of these can fail, on a page that is wrong."""

from pathlib import Path

import pytest

from tests.browser import Pages, axe

pytestmark = pytest.mark.browser
GOOD = "<!doctype html><html lang=en><title>A page</title><main><h1>A page</h1><p>Text.</p></main>"


def test_a_good_page_has_no_errors(page: Pages, tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text(GOOD)
    tab = page((tmp_path / "good.html").as_uri())
    assert tab.errors == []
    assert axe(tab.page) == []


def test_errors_are_seen(page: Pages, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(
        "<img src='http://example.invalid/x.png'><script>console.error('said'); nothing()</script>"
    )
    tab = page((tmp_path / "bad.html").as_uri())
    assert {"said", "asked the network for http://example.invalid/x.png"} < set(tab.errors)
    assert any("nothing is not defined" in error for error in tab.errors)
    assert any(found.startswith("image-alt") for found in axe(tab.page))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_knows_its_width_and_colours(page: Pages, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "good.html").write_text(GOOD)
    seen = page((tmp_path / "good.html").as_uri(), width=400, scheme="dark" if scheme == "dark" else "light").page
    assert seen.evaluate("innerWidth") == 400
    assert seen.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
