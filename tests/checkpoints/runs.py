"""What tests of a run's folder share: a training of four steps, and what is asked of the commands."""

from pathlib import Path
from typing import Any

from tests.conftest import Cli
from tests.training.test_resuming import QUICK

SAVING = ("--save-every", 0.008, "--metrics", "none")  # every second step


def command(data: object, out: object, steps: int = 4, *more: object) -> tuple[object, ...]:
    return ("train", "gan", "--data", data, *QUICK, *SAVING, "--steps", steps, "--out", out, *more)


def state(folder: str | Path = ".") -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def resumes(cli: Cli, data: object = "pictures", steps: int = 6) -> Any:
    return cli(*command(data, "x", steps, "--resume"))


def refused(result: Any, says: str) -> None:
    assert (result.code, result.out) == (2, ""), result
    assert says in result.err
    assert len(result.err.splitlines()) == 1
