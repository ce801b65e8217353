"""The door for what others wrote: what passes is of its type, and whatever does not is one line."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from gancli.errors import UserError
from gancli.system.untrusted.door import check_regular, parse_json, printable, read_json, reading, to_json

Count = Annotated[int, Meta(ge=0, le=2**53)]


@dataclass(frozen=True)
class Known:
    step: Count
    terms: dict[str, float] = field(default_factory=dict)
    name: str = ""


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", '{"step": 0.5}', '{"step": 1.0}', '{"step": true}', '{"step": "1"}', '{"step": -1}',
        '{"step": NaN}', '{"step": 1e999}', f'{{"step": {10**400}}}', '{"step": null}',
        '{"step": 1, "terms": {"a": Infinity}}', '{"step": 1, "terms": {"a": 1e999}}',
        f'{{"step": 1, "terms": {{"a": {10**400}}}}}', '{"step": 1, "terms": []}', '{"step": 1, "terms": {"a": []}}',
        '{"step": 1, "name": 7}', "[" * 100_000, '{"step": 1, "else": ' + "[" * 100_000,
        f'{{"step": {"9" * 5000}}}',
    ],
)  # fmt: skip
def test_whatever_is_of_another_type_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text, Known)


def test_what_is_of_the_type_passes_and_unknown_fields_are_left_out() -> None:
    text = '{"step": 3, "terms": {"a": 1, "b": 2.5}, "name": "\\udcff", "new": [1]}'
    assert parse_json(text, Known) == Known(3, {"a": 1.0, "b": 2.5}, "\udcff")


@given(plain)
def test_any_json_is_of_the_type_or_a_value_error(value: Any) -> None:
    try:
        known = parse_json(json.dumps(value), Known)
    except ValueError:
        return
    assert type(known.step) is int
    assert all(type(term) is float and math.isfinite(term) for term in known.terms.values())


@given(plain)
def test_what_is_written_has_no_nan_and_is_read_back(value: Any) -> None:
    written = to_json(value)
    assert to_json(parse_json(written, Any)) == written  # pyright: ignore[reportArgumentType]  Any is a type to msgspec


@given(st.text())
def test_nothing_printed_moves_the_cursor(text: str) -> None:
    shown = printable(text, 50)
    assert shown.isprintable()
    assert len(shown) <= 50


def test_printable_keeps_what_people_write_and_shows_what_they_hide() -> None:
    assert printable("größe 猫 🐈") == "größe 猫 🐈"
    assert printable("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\\n"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text('{"step": 1}')
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("gone")
    for name, says in {"pipe": "a pipe", "nowhere": "No such file", "": "a folder"}.items():
        with pytest.raises(UserError, match=says):
            read_json(tmp_path / name, Known)
    assert read_json(tmp_path / "link", Known) == Known(1)
    with pytest.raises(UserError, match="a link"):
        check_regular(tmp_path / "link", follow=False)


@pytest.mark.parametrize("error", [ValueError("a\nb\x1b"), OSError(28, "full"), RecursionError("deep"), KeyError("x")])
def test_whatever_a_file_causes_is_one_line_that_names_it(error: Exception) -> None:
    with pytest.raises(UserError, match=r"^x\.json cannot be read: .+$") as raised, reading("x.json"):
        raise error
    assert str(raised.value).isprintable()
