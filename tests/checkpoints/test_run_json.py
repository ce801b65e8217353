"""A run.json that is damaged is refused in a line, and so are other data than those it speaks of."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import Folder
from tests.checkpoints.runs import command, refused, resumes, state
from tests.conftest import Cli, noise_images
from tests.training.test_resuming import QUICK, final

# --- run.json


DAMAGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nothing": lambda _: "",
    "cut": lambda about: json.dumps(about)[:-9],
    "a list": lambda _: "[]",
    "null": lambda _: "null",
    "deep": lambda _: "[" * 100_000,
    "no utf-8": lambda _: b"\xff\xfe\x00",
    "a number for a name": lambda about: about | {"variant": 7},
    "a list of hyperparameters": lambda about: about | {"hparams": []},
    "a seed in words": lambda about: about | {"seed": "0"},
    "half a seed": lambda about: about | {"seed": 0.5},
    "a precision of nothing": lambda about: about | {"precision": "fp3"},
    "no variant": lambda about: {k: v for k, v in about.items() if k != "variant"},
    "no batch": lambda about: about | {"hparams": {}},
    "a batch in words": lambda about: about | {"hparams": about["hparams"] | {"batch": "4"}},
    "digits without end": lambda about: json.dumps(about)[:-1] + f', "seed": {"9" * 5000}}}',
}


@pytest.mark.parametrize("what", [*DAMAGED, "gone"])
def test_a_damaged_run_is_neither_begun_anew_nor_lost(cli: Cli, run: Path, what: str) -> None:
    if what == "gone":
        (run / "run.json").unlink()
    else:
        made = DAMAGED[what](json.loads((run / "run.json").read_text()))
        text = json.dumps(made) if isinstance(made, dict) else made
        (run / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = state()
    for more in ((), ("--resume",), ("--resume", "--dry-run"), ("--resume", "--batch", "auto")):
        result = cli(*command("pictures", run, 6, *more))
        refused(result, "run.json")
        assert "restore it, or give another --out" in result.err
        assert "gancli sample x/checkpoints/000000016.safetensors" in result.err
    assert state() == before
    for words in (("sample", run, "--out", "out.png"), ("info", run)):
        assert cli(*words).code == 0


def test_checkpoints_that_training_cannot_use_are_not_trained_over(cli: Cli, run: Path) -> None:
    for path in Folder(run).checkpoints():
        checkpoint.strip(path)
    before = state()
    refused(resumes(cli), "--resume: no checkpoint in x can be resumed")
    assert state() == before


def test_a_run_without_a_checkpoint_begins_again(cli: Cli, run: Path) -> None:
    whole = final(run)
    shutil.rmtree(run / "checkpoints")
    assert cli(*command("pictures", "x", 4, "--resume")).code == 0
    assert final(run) == whole


@pytest.mark.parametrize("option", ["--kimg", "--epochs", "--steps", "--lr", "--save-every"])
def test_no_number_is_without_end(cli: Cli, pictures: Path, option: str) -> None:
    number = {"--steps": 10**30, "--kimg": "1e300"}.get(option, "inf")
    result = cli("train", "gan", "--data", pictures, *QUICK, "--out", "x", option, number)
    refused(result, f"{option} {float(number) if option != '--steps' else number} is not allowed")
    assert not Path("x").exists()


# --- the data


def changed_label() -> None:
    Path("pictures/000.png").rename("pictures/zzz.png")


def edited() -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("pictures/003.png")


CHANGED = {
    "added": lambda: shutil.copy("pictures/000.png", "pictures/more.png"),
    "removed": lambda: Path("pictures/005.png").unlink(),
    "edited": edited,
    "in another order": changed_label,
}


@pytest.mark.parametrize("how", CHANGED)
def test_data_that_have_changed_are_refused(cli: Cli, run: Path, how: str) -> None:
    CHANGED[how]()
    before = state()
    refused(resumes(cli), "the data have changed since x was trained: pictures differs from what")
    assert state() == before
    without_digest(run)  # as the message says
    assert resumes(cli).code == 0


def test_the_same_data_are_the_same_wherever_they_lie(cli: Cli, run: Path) -> None:
    shutil.copytree("pictures", "moved/pictures", copy_function=shutil.copyfile)  # with other times of change
    shutil.copytree(run, "whole")
    assert cli(*command("pictures", "whole", 6, "--resume")).code == 0
    for i, data in enumerate((Path("pictures").absolute(), "./pictures", "moved/pictures", "moved/../pictures")):
        shutil.copytree(run, f"x{i}")
        result = cli(*command(data, f"x{i}", 6, "--resume"))
        assert result.code == 0, result.err
        assert final(f"x{i}") == final("whole")


def test_run_and_checkpoint_name_what_the_data_held(run: Path, cli: Cli) -> None:
    said = json.loads((run / "run.json").read_text())["digest"]
    assert len(said) == 64
    assert {checkpoint.describe(path).run["digest"] for path in Folder(run).checkpoints()} == {said}


def without_digest(run: Path) -> None:
    """As gancli wrote it before data had one."""
    about = json.loads((run / "run.json").read_text())
    del about["digest"]
    (run / "run.json").write_text(json.dumps(about | {"data": "pictures", "folder": str(Path.cwd())}))


def test_a_run_of_before_is_known_by_where_its_data_lie(cli: Cli, run: Path) -> None:
    without_digest(run)
    noise_images(Path("other"), 5)
    refused(resumes(cli, "other"), "data was pictures, now other")
    refused(resumes(cli, "digits"), "settings differ from the saved run")
    assert resumes(cli, Path("pictures").absolute()).code == 0
    assert json.loads((run / "run.json").read_text())["digest"]
