"""Text of others stays text in a page: in an element, in an attribute and in JSON."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from gancli.system.untrusted.door import printable
from gancli.system.untrusted.html import own, render

TEMPLATE = """<p title="{{ text }}">{{ text }}</p><script id="data">{{ {"text": text} | tojson }}</script>"""
MARKUP = ("<script>", "</script>", "<!--", "-->", "]]>", "&lt;", "{{ 7 * 7 }}", "{% raw %}", "'", '"', "\u2028", "\0")


class Parts(HTMLParser):
    """The tags of a page with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


@given(st.lists(st.sampled_from(MARKUP) | st.text(max_size=5), max_size=6).map("".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_and_makes_no_tag(tmp_path: Path, text: str) -> None:
    """As `printable` gives it in the page: a parser takes no NUL, and no carriage return as it is."""
    template = tmp_path / "page.html"
    template.write_text(TEMPLATE)
    shown = printable(text)
    page = Parts(render(template, {"text": shown}))
    assert page.tags == [("p", {"title": shown}), ("script", {"id": "data"})]
    assert page.texts[0] == shown
    (raw,) = [Parts(render(template, {"text": text})).texts[1]]
    assert json.loads(raw) == {"text": text}


def test_a_name_that_is_missing_is_an_error_and_not_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ mine | loud }} {{ nothing }}")
    with pytest.raises(UndefinedError, match="nothing"):
        render(tmp_path / "page.html", {"mine": "x"}, loud=str.upper)


def test_our_own_script_is_not_escaped(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<script>{{ script }}</script>")
    (tmp_path / "page.js").write_text("if (a < b && c) {}")
    assert (
        render(tmp_path / "page.html", {"script": own(tmp_path / "page.js")}) == "<script>if (a < b && c) {}</script>"
    )
