"""`gancli trust`: choose which Python files checkpoints may run."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from gancli.errors import UserError
from gancli.system.untrusted import trusted_code
from gancli.system.untrusted.terminal import say, say_json


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE.py", help="Files to trust with their current content; without any: list trusted files."
        ),
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Stop trusting these files, given by path or by the start of their hash.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the hash and path of each as JSON.")] = False,
) -> None:
    """Choose which Python files checkpoints may run.

    Training with a file also trusts it.
    """
    if withdraw and not files:
        raise UserError("--withdraw needs a file or the start of its hash; gancli trust lists them")
    found = (
        [mark for file in files or () for mark in trusted_code.withdraw(file)] if withdraw else _trusted(files or [])
    )
    if json:
        say_json([dataclasses.asdict(mark) for mark in found])
        return
    for mark in found:
        say(f"{mark.sha256[:16]}  {mark.path}")


def _trusted(files: list[str]) -> list[trusted_code.Mark]:
    """Trust files and return their marks; without files, return all marks."""
    if not files:
        return trusted_code.marks()
    codes = [trusted_code.read(_code(file)) for file in files]
    for code in codes:
        trusted_code.allow(code)
    return [trusted_code.Mark(code.sha256, str(code.path.absolute())) for code in codes]


def _code(file: str) -> Path:
    if not file.endswith(".py"):
        raise UserError(f"{file} is not a Python file: give a .py file with one GAN class in it")
    return Path(file)
