"""Pages in a real browser: Debian's chromium without a window, one process for all tests of a session.

def test_it(page: Pages) -> None:
    tab = page("file:///…/report.html", width=400, scheme="dark")
    tab.page.get_by_role("slider").press("ArrowRight")
    assert tab.errors == [] and axe(tab.page) == []
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HEIGHT = 900
NAMES = ("chromium", "chromium-browser", "google-chrome")
HOME = {"", "127.0.0.1", "localhost"}  # the hosts of file:, data: and blob: addresses, and of this machine


@dataclass
class Tab:
    """A page, and all that went wrong in it: errors in the console, uncaught ones, and addresses of the network."""

    page: "Page"
    errors: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        page = self.page
        page.on("console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._check(request.url))
        page.goto(address)

    def _check(self, url: str) -> None:
        if (urlsplit(url).hostname or "") not in HOME:
            self.errors.append(f"asked the network for {url}")


class Pages(Protocol):
    """Open an address in a window of a size, in light or dark."""

    def __call__(
        self, address: str, *, width: int = 1400, height: int = HEIGHT, scheme: Literal["light", "dark"] = "light"
    ) -> Tab: ...


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Start chromium; where there is none, or nothing to drive it, skip the test."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no chromium on this machine: apt install chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install gancli[dev]")
    with driver.sync_playwright() as playwright:
        # a sandbox needs another user than root
        chromium = playwright.chromium.launch(executable_path=program, chromium_sandbox=os.geteuid() != 0)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator[Pages]:
    """Open pages that end with the test, each with nothing remembered from another."""
    contexts = []

    def opened(
        address: str, *, width: int = 1400, height: int = HEIGHT, scheme: Literal["light", "dark"] = "light"
    ) -> Tab:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(10_000)
        contexts.append(context)
        tab = Tab(context.new_page())
        tab.open(address)
        return tab

    yield opened
    for context in contexts:
        context.close()


def axe(page: "Page") -> list[str]:
    """List what axe-core finds that keyboards, screen readers or poor eyes cannot use: rule, help, places."""
    found = pytest.importorskip("axe_playwright_python.sync_playwright").Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['help']} at {[node['target'] for node in rule['nodes']]}" for rule in found]
