"""Every link in README and docs/ leads to a file that is there, and to a heading of it."""

import re
from pathlib import Path

import gancli

ROOT = Path(gancli.__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: str) -> set[str]:
    """Return the names by which headings can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def dead(path: Path, page: str) -> list[str]:
    """List the links of a page that lead nowhere; those to other sites are not followed."""
    found = []
    for file, heading in LINK.findall(page):
        target = path.parent / file if file else path
        if file.startswith(("http://", "https://")):
            continue
        text = page if target == path else target.read_text(encoding="utf-8") if heading and target.exists() else ""
        if not (text or target.exists()) or (heading and heading not in anchors(text)):
            found.append(f"{path.name}: {file}{heading and '#'}{heading}")
    return found


def test_every_link_leads_somewhere() -> None:
    assert [link for path in PAGES for link in dead(path, path.read_text(encoding="utf-8"))] == []


def test_dead_links_are_found() -> None:
    page = (
        "# A title: `x`\n[a](#a-title-x) [b](README.md) [c](#b) ![d](no.png)\n```\n# b\n```\n[e](https://example.org/f)"
    )
    assert dead(ROOT / "x.md", page) == ["x.md: #b", "x.md: no.png"]
