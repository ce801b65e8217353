"""Write HTML pages about files of others: whatever stands in these is text, never markup or script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gancli.system.untrusted.door import to_json


def render(template: Path, content: Mapping[str, Any], **filters: Any) -> str:
    """Fill in a template: every value is escaped, in JSON too, and a name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies |= {"json.dumps_function": to_json, "json.dumps_kwargs": {}}
    environment.filters |= filters
    return environment.get_template(template.name).render(content)


def own(path: Path) -> Markup:
    """Read a style sheet or a script of gancli's own, to be put into a page as it is."""
    return Markup(path.read_text(encoding="utf-8"))
