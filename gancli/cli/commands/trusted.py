"""`gancli trust`: which files of code checkpoints may run."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from gancli.errors import UserError
from gancli.system.untrusted import trusted_code
from gancli.system.untrusted.terminal import say, say_json


def command(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE.py…", help="Files to trust as they are now; none: list them.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Trust these no longer: files, or how their hashes begin.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: the hash and path of each.")] = False,
) -> None:
    """Say which files of code of yours a checkpoint may run. Training with a file says so, too."""
    if withdraw and not files:
        raise UserError("--withdraw: name a file, or how its hash begins; gancli trust lists them")
    found = (
        [mark for file in files or () for mark in trusted_code.withdraw(file)] if withdraw else _trusted(files or [])
    )
    if json:
        say_json([dataclasses.asdict(mark) for mark in found])
        return
    for mark in found:
        say(f"{mark.sha256[:16]}  {mark.path}")


def _trusted(files: list[str]) -> list[trusted_code.Mark]:
    """Trust files, and give their marks; of no files, all that there are."""
    if not files:
        return trusted_code.marks()
    codes = [trusted_code.read(_code(file)) for file in files]
    for code in codes:
        trusted_code.allow(code)
    return [trusted_code.Mark(code.sha256, str(code.path.absolute())) for code in codes]


def _code(file: str) -> Path:
    if not file.endswith(".py"):
        raise UserError(f"{file} is no file of code: give a .py with one GAN class in it")
    return Path(file)
