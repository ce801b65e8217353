"""The page, as one HTML text with its style, script and data inside: it loads nothing else."""

import html
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

from gancli.system.untrusted.door import to_json


def page(offers: Mapping[str, Any], nonce: str) -> str:
    """Return the page for a model, with the nonce that its style and script need."""
    files = {kind: _read(f"page.{kind}") for kind in ("css", "js")}
    data = to_json(offers).replace("<", "\\u003c")  # no text of a model ends the element
    title = html.escape(f"{offers['model']} · gancli explore")
    return Template(_read("page.html")).substitute(files, nonce=nonce, title=title, offers=data)


def _read(name: str) -> str:
    return resources.files("gancli.exploring").joinpath(name).read_text(encoding="utf-8")
