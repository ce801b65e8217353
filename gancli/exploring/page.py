"""The page, as one HTML text with its style, script and data inside: it loads nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gancli.system.untrusted.html import own, render

HERE = Path(__file__).parent


def page(offers: Mapping[str, Any], nonce: str) -> str:
    """Return the page for a model, with the nonce that its style and script need."""
    files = {kind: own(HERE / f"page.{kind}") for kind in ("css", "js")}
    return render(HERE / "page.html", {"offers": offers, "nonce": nonce, **files})
