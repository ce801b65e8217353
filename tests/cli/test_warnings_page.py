"""docs/when-training-goes-wrong.md explains every warning of training and evaluation, in the words that are printed."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gancli.engine import out_of_memory
from gancli.evaluation import evaluate, protocol
from gancli.images.writing import read_about
from gancli.inference.translation import translate
from gancli.system.processes import watchdog
from gancli.training import diagnostics, loop, recorder, resuming, saving
from gancli.training.output import plan_warnings
from tests.dev import failures

PAGE = failures.ROOT / "docs" / "when-training-goes-wrong.md"
MODULES = (diagnostics, saving, recorder, resuming, out_of_memory)
FUNCTIONS = (
    loop.Training._tick, loop.Training._return, protocol.cautions, evaluate.evaluate, evaluate._copying,
    translate._hint, plan_warnings.of_data, plan_warnings.of_length, watchdog.end,
)  # fmt: skip
SPACES = 2  # of a text that is a message; shorter ones are names and keys


def notes(module: ModuleType) -> Iterator[str]:
    """Yield what a module prints by functions that are called note."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("note"):
            yield from messages(node)


def told(function: Callable[..., Any]) -> Iterator[str]:
    """Yield what a function returns or prints, without its docstring and its errors about wrong use."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    errors = [node for node in ast.walk(definition) if isinstance(node, ast.Raise) and "UserError" in ast.unparse(node)]
    wrong = {text for node in errors for text in messages(node)}
    lines = definition.body[1:] if ast.get_docstring(definition) else definition.body
    yield from (text for line in lines for text in messages(line) if text not in wrong)


def messages(code: ast.AST) -> Iterator[str]:
    """Yield the longest constant part of every text that is more than a name."""
    nodes = list(ast.walk(code))
    inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        parts = node.values if isinstance(node, ast.JoinedStr) else [node] if id(node) not in inner else []
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        longest = " ".join(max(texts, key=len, default="").split())
        if longest.count(" ") >= SPACES:
            yield longest


def unexplained(page: str) -> list[str]:
    """List the messages that a page does not quote."""
    page = " ".join(page.split())
    found = [text for module in MODULES for text in notes(module)]
    found += [text for function in FUNCTIONS for text in told(function)]
    assert len(found) > 15
    return [text for text in found if text not in page]


def test_every_warning_is_explained() -> None:
    assert unexplained(PAGE.read_text(encoding="utf-8")) == []


def test_a_warning_that_was_reworded_is_noticed() -> None:
    page = PAGE.read_text(encoding="utf-8").replace("so G learns nothing", "so G learns little")
    assert [text for text in unexplained(page) if "so G learns nothing" in text]


@pytest.mark.parametrize("path", sorted(failures.PICTURES.glob("*.png")), ids=lambda path: path.stem)
def test_every_picture_stands_below_the_command_that_made_it(path: Path) -> None:
    about = read_about(path)
    assert about["command"] == failures.ENTRIES[path.stem].command, (
        f"renew it by python -m tests.dev.failures {path.stem}"
    )
    assert f"`{about['command']}`" in PAGE.read_text(encoding="utf-8").partition(f"failures/{path.name}")[0]
    assert path.stat().st_size < failures.MOST_BYTES
