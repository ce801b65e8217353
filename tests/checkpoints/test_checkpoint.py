"""What a checkpoint says, and the states in it, are held to what a run could have written."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gancli.checkpoints import checkpoint
from gancli.checkpoints.checkpoint import About
from gancli.checkpoints.run_folder import Folder
from tests.checkpoints.runs import refused, resumes, state
from tests.conftest import Cli


def rewrite(
    path: Path, change: Callable[[dict[str, Any]], object], tensors: Callable[[dict[str, Any]], object] | None = None
) -> None:
    """Change what a checkpoint says, or holds, with a hash that is right or none."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["gancli"])
    change(about)
    held = load_file(path)
    if tensors is not None:
        tensors(held)
        about["sha256"] = {}
    else:
        about["sha256"]["about"] = About(**about).hash()
    save_file(held, path, {"gancli": json.dumps(about)})


NUMBERS = {
    **{f"clock {n}": ("clock", "step", n) for n in (0.5, math.nan, 10**400, -1, True, "1", None, 2**60)},
    **{f"slower {n}": ("run", "slower", n) for n in (-1, "x", 0, math.nan, 1.5, True, None, [])},
    **{f"metric {n}": ("metrics", "fid", n) for n in ("x", True, 10**400, [])},
}


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_that_no_run_writes_are_refused(cli: Cli, run: Path, what: str) -> None:
    part, name, value = NUMBERS[what]
    for path in Folder(run).checkpoints():
        rewrite(path, lambda about: about[part].__setitem__(name, value))
    before = state()
    refused(cli("info", run), "its description is damaged")
    refused(cli("sample", run, "--out", "out.png"), "its description is damaged")
    refused(resumes(cli), "no checkpoint in x can be resumed")
    assert state() == before


def test_a_metric_that_was_no_number_is_null_and_stays_readable(cli: Cli, run: Path) -> None:
    path = Folder(run).checkpoints()[-1]
    rewrite(path, lambda about: about["metrics"].update(fid=math.nan, kid=1))  # as it was written before
    assert "fid nan" in cli("info", path).out
    assert resumes(cli).code == 0
    checkpoint.strip(path)
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["gancli"])["metrics"] == {"fid": None, "kid": 1}
    assert checkpoint.whole(path)


def first(held: dict[str, Any], field: str) -> str:
    return next(name for name in sorted(held) if name.startswith("opt.") and f".{field}." in name)


def replaced(field: str, by: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], object]:
    return lambda held: held.update({(name := first(held, field)): by(held[name]).contiguous()})


STATES: dict[str, Callable[[dict[str, Any]], object]] = {
    "double": replaced("exp_avg", torch.Tensor.double),
    "half": replaced("exp_avg_sq", torch.Tensor.half),
    "steps as integers": replaced("step", torch.Tensor.long),
    "a shape that spreads": replaced("exp_avg", lambda t: t.flatten()[:1].clone()),
    "a number for all": replaced("exp_avg", lambda t: torch.zeros(())),
    "a step for each": replaced("step", lambda t: t.expand(3).clone()),
    "not finite": replaced("exp_avg_sq", lambda t: torch.full_like(t, math.inf)),
    "a step before the first": replaced("step", lambda t: -t - 1),
    "one missing": lambda held: held.pop(first(held, "exp_avg")),
    "all missing": lambda held: [held.pop(name) for name in list(held) if name.startswith("opt.")],
    "of nobody": lambda held: held.update({"opt.X.exp_avg.net.weight": torch.zeros(1)}),
    "of no parameter": lambda held: held.update({"opt.D.exp_avg.x": torch.zeros(1)}),
    "of another's": lambda held: held.update({first(held, "step").replace("opt.D.", "opt.G."): torch.zeros(())}),
    "of no field": lambda held: held.update({first(held, "step").replace(".step.", ".speed."): torch.zeros(())}),
}


@pytest.mark.parametrize("what", STATES)
def test_an_optimiser_remembers_only_what_it_could(cli: Cli, run: Path, what: str) -> None:
    rewrite(Folder(run).checkpoints()[-1], lambda _: None, STATES[what])
    before = state()
    result = resumes(cli)
    assert (result.code, "does not match its own description: " in result.err) == (2, True), result
    assert len(result.err.splitlines()) == 1
    assert state() == before
