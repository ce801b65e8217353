"""What a run says to do next works as it stands."""

import dataclasses
import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from gancli import registry
from gancli.training import launch
from gancli.training.loop import Training
from gancli.training.options import OF_SOME_DATA, RunOptions
from gancli.training.output import next_steps
from tests.conftest import Cli, Result, noise_images
from tests.training.test_resuming import QUICK, final
from tests.variants.small import make

FEW = ("--steps", 2, "--batch", 4, "--width", 4, "--metrics", "none")


def next_commands(result: Result) -> list[str]:
    """The commands under *next*, one a line."""
    rows = result.out.splitlines()
    first = next(i for i, row in enumerate(rows) if row.startswith("next "))
    return [row[10:] for row in rows[first:]]


@pytest.mark.parametrize(
    ("variant", "out"), [("gan", ()), ("cyclegan", ()), ("pix2pix", ("--out", "a run")), ("ccgan", ())]
)
def test_it_makes_images_as_it_stands(cli: Cli, tmp_path: Path, variant: str, out: tuple[str, ...]) -> None:
    for name in "AB":
        noise_images(tmp_path / "data" / name, size=(16, 16))
    (Path("data/A/000.png")).rename("photo.png")
    (Path("data/B/000.png")).rename("other.png")
    trained = cli("train", variant, "--data", "data", "--size", 16, *FEW, *out)
    assert trained.code == 0, trained.err
    [command] = next_commands(trained)
    assert shlex.split(command)[2] == ("a run" if out else f"{variant}-data-1")
    words = shlex.split(command.replace("IMAGE", "photo.png").replace("X,Y,W,H", "0,0,8,8"))
    done = cli(*words[1:])
    assert done.code == 0, done.err
    assert Path(done.out.strip()).is_file()


def test_every_variant_has_a_command_that_makes_images() -> None:
    for name in registry.names():
        assert "info" not in next_steps.use(make(name), Path("x")), name


def test_what_resumes_a_run_has_only_options_that_train_has(cli: Cli) -> None:
    """Whichever of them were given: a name that Python reserves, such as `from`, too."""
    fields = (f for f in dataclasses.fields(RunOptions) if f.name not in OF_SOME_DATA)
    given: dict[str, Any] = {f.name: not f.default if isinstance(f.default, bool) else 4 for f in fields}
    words = shlex.split(next_steps.resume("gan", {"lr": 0.1}, RunOptions(**given), Path("a run")))
    assert {"--from", "--freeze-d", "--skip-broken", "--lr"} < set(words)
    asked = cli(*words[1:], "--help")
    assert asked.code == 0, asked.err


def test_a_stopped_run_says_how_to_resume_and_shows_its_last_images(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "gan", "--data", pictures, *QUICK, "--lr", 3e-4, "--metrics", "none", "--steps", 6)
    assert cli(*command, "--out", "whole").code == 0
    step = Training.step

    def interrupted(training: Training) -> Any:
        if training.state.clock.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(training)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", interrupted)
        stopped = cli(*command)
    assert stopped.code == 130
    run = Path("runs/gan-pictures-1")
    assert (run / "samples/000000016.png").is_file()
    again, sample = next_commands(stopped)
    assert sample == "gancli sample gan-pictures-1"
    assert cli(*shlex.split(sample)[1:]).code == 0
    resumed = cli(*shlex.split(again)[1:])
    assert resumed.code == 0, resumed.err
    assert final(run) == final("whole")


def test_scripts_get_it_too(cli: Cli, pictures: Path) -> None:
    told = json.loads(cli("train", "gan", "--data", pictures, *QUICK, "--steps", 1, "--json", "--out", "x").out)
    assert told["next"] == ["gancli sample x"]


@pytest.mark.parametrize(
    "words",
    [
        ("gan", "--batch", "auto", "--kimg", "7", "--quiet"),
        ("dcgan", "--mirror", "--data", "a folder", "--size", "64x32", "--metrics", "none", "--keep", "3"),
        ("cyclegan", "--no-mirror", "--data", "A", "--data-b", "B", "--steps", "9", "--preset", "paper"),
        ("fgan", "--divergence", "kl", "--seed", "3", "--eval-every", "0.5", "--json", "--compile", "off"),
    ],
    ids=lambda words: words[0],
)
def test_the_command_that_resumes_has_every_option_of_the_run(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    seen: list[tuple[str, dict[str, Any], RunOptions]] = []
    monkeypatch.setattr(launch, "launch", lambda *given: seen.append(given) or 0)
    assert cli("train", *words).code == 0
    assert cli(*shlex.split(next_steps.resume(*seen[0], Path("some where")))[1:]).code == 0
    (variant, values, options), again = seen
    assert again == (variant, values, dataclasses.replace(options, out=Path("some where"), resume=True))
