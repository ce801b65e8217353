"""A length in minutes, and the trial that a plan is made by: it leaves no trace in what is learnt."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gancli.engine import timing
from gancli.engine.timing import StepCost
from gancli.training import length
from tests import forked
from tests.conftest import Cli

QUICK = ("--batch", 4, "--width", 4, "--sample-every", 1000, "--metrics", "none")
STEPS = 60  # enough to be worth a trial
# batch norm, spectral norm with its vectors, and a pool of images that were generated before
BUFFERED = {"dcgan": (), "sngan": (), "cyclegan": ("--blocks", 1, "--pool", 8)}


def final(folder: str | Path) -> bytes:
    return max((Path(folder) / "checkpoints").glob("*.safetensors")).read_bytes()


def total(folder: str | Path) -> int:
    return json.loads((Path(folder) / "run.json").read_text())["measured"]["images"]


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Make every trial play its steps, and find so many seconds for each."""

    def set_pace(seconds: float) -> None:
        def step_cost(step: Callable[[], object], *_limits: Any) -> StepCost:
            for _ in range(5):
                step()
            return StepCost(seconds, 2**30)

        monkeypatch.setattr(timing, "step_cost", step_cost)

    return set_pace


# ---------------------------------------------------------------------------------------------------- the trial


@pytest.mark.parametrize("name", BUFFERED)
def test_a_trial_leaves_no_trace(cli: Cli, two_folders: Path, name: str) -> None:
    """Who says nothing of the plan needs no trial."""
    command = ("train", name, "--data", two_folders, *QUICK, *BUFFERED[name], "--steps", STEPS)
    tried = cli(*command, "--out", "tried")
    assert re.search(r"^time +about .* images/s; .* GiB of memory$", tried.out, re.MULTILINE)
    assert cli(*command, "--out", "untried", "--quiet").code == 0
    assert final("tried") == final("untried")


@pytest.mark.parametrize("name", BUFFERED)
def test_minutes_are_the_steps_that_they_came_to(
    cli: Cli, two_folders: Path, name: str, steady: Callable[[float], None]
) -> None:
    steady(1.0)
    command = ("train", name, "--data", two_folders, *QUICK, *BUFFERED[name])
    told = cli(*command, "--minutes", 0.3, "--out", "minutes")
    assert told.code == 0, told.err
    steps = total("minutes") // 4
    assert 8 <= steps <= 17
    assert f"length    0.3 minutes, about {steps * 4 / 1000:g} kimg" in told.out
    assert cli(*command, "--steps", steps, "--out", "steps").code == 0
    assert final("minutes") == final("steps")


def test_a_short_run_has_no_trial(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "step_cost", lambda *_: pytest.fail("a trial"))
    assert "time  " not in cli("train", "dcgan", "--data", pictures, *QUICK, "--steps", 49).out


def test_a_dry_run_says_how_long_and_how_much(cli: Cli, pictures: Path, steady: Callable[[float], None]) -> None:
    steady(0.25)
    told = cli("train", "dcgan", "--data", pictures, *QUICK, "--kimg", 4.16, "--dry-run")
    assert "time      about 4 min 20 s at 16 images/s; 1 GiB of memory\n" in told.out
    told = cli("train", "dcgan", "--data", pictures, *QUICK, "--minutes", 5, "--dry-run")
    assert re.search(r"length    5 minutes, about 4\.\d+ kimg: .* steps of 4", told.out)
    assert not Path("runs").exists()


@given(
    costs=st.lists(st.floats(1e-4, 10), min_size=1, max_size=3), most=st.integers(1, 200), seconds=st.floats(0.01, 20)
)
def test_a_trial_is_short_and_its_last_steps_count(costs: list[float], most: int, seconds: float) -> None:
    """Whatever the first steps take, and whatever the others: by a clock that only steps move."""
    now, played = [0.0], [0]

    def step() -> None:
        now[0] += costs[min(played[0], len(costs) - 1)]
        played[0] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing.time, "perf_counter", lambda: now[0])
        found = timing.step_cost(step, timing.torch.device("cpu"), most, seconds)
    assert 1 <= played[0] <= most
    assert played[0] == 1 or now[0] <= max(seconds, sum(costs)) + timing.GROWTH * max(costs) * len(costs)
    assert min(costs) * 0.999 <= found.seconds <= max(costs) * 1.001
    if most > 1 and costs[0] <= timing.COLD:  # the first step, which may be slow, is not all that is known
        assert played[0] > 1
    if played[0] >= 21:
        assert found.seconds == pytest.approx(costs[-1], rel=1e-3)


# -------------------------------------------------------------------------------------------------- --minutes


@given(
    seconds=st.floats(0, 1e6),
    per_image=st.floats(1e-6, 10),
    evaluation=st.floats(0, 100),
    every=st.sampled_from([0.0, 1000.0, 5e4]),
)
def test_what_is_affordable_fills_the_time(seconds: float, per_image: float, evaluation: float, every: float) -> None:
    images = length.affordable(seconds, per_image, evaluation, every)

    def cost(images: int) -> float:
        return images * per_image + evaluation * (1 + (images / every if every else 0))

    assert images == 0 or cost(images) <= seconds
    assert cost(images + 1) >= seconds * (1 - length.MARGIN) * 0.999999


@pytest.mark.parametrize(("options", "least", "most"), [((), 19, 22), (("--phase-kimg", 0.032), 26, 28)])
def test_a_network_that_grows_takes_longer_with_every_level(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...], least: int, most: int
) -> None:
    """A step takes 1, 2 and 4 seconds: 2.6 on average if phases are 20 % of it; with 8 steps each, 8 + 32 and the rest.

    Those of the first level alone would be 58.
    """
    costs = iter([1.0, 2.0, 4.0])

    def step_cost(step: Callable[[], object], *_limits: Any) -> StepCost:
        step()
        return StepCost(next(costs), 2**30)

    monkeypatch.setattr(timing, "step_cost", step_cost)
    command = ("train", "progan", "--data", pictures, *QUICK, "--size", 16, "--grow-share", 0.8, "--dry-run")
    told = cli(*command, *options, "--minutes", 1)
    assert told.code == 0, told.err
    assert least <= int(re.findall(r"([\d,]+) steps of", told.out)[0]) <= most


def test_resuming_keeps_what_the_minutes_came_to(cli: Cli, pictures: Path, steady: Callable[[float], None]) -> None:
    """Whether they are given again or not; the machine may be another now."""
    command = ("train", "dcgan", "--data", pictures, *QUICK, "--out", "x")
    steady(1.0)
    assert cli(*command, "--minutes", 0.3).code == 0
    first, weights = total("x"), final("x")
    steady(0.1)
    for again in (("--minutes", 0.3), ()):
        assert cli(*command, *again, "--resume").code == 0
        assert (total("x"), final("x")) == (first, weights)


def test_resuming_with_other_minutes_measures_what_is_left(
    cli: Cli, pictures: Path, steady: Callable[[float], None]
) -> None:
    command = ("train", "dcgan", "--data", pictures, *QUICK, "--out", "x")
    steady(2.0)
    cli(*command, "--minutes", 0.3)
    first = total("x")
    steady(1.0)
    told = cli(*command, "--minutes", 0.6, "--resume")
    assert told.code == 0, told.err
    assert first + 25 * 4 <= total("x") <= first + 36 * 4


@pytest.mark.parametrize("other", [("--steps", 30), ("--epochs", 10), ("--kimg", 0.12)], ids=lambda o: o[0])
def test_resuming_with_another_kind_of_length_takes_that(
    cli: Cli, pictures: Path, steady: Callable[[float], None], other: tuple[object, ...]
) -> None:
    command = ("train", "dcgan", "--data", pictures, *QUICK, "--out", "x")
    steady(1.0)
    cli(*command, "--minutes", 0.1)
    assert "0.12 kimg: 10 epochs, 30 steps of 4" in cli(*command, *other, "--resume").out
    assert "measured" not in json.loads(Path("x/run.json").read_text())


@pytest.mark.parametrize(("kimg", "epochs"), [("0.05", "4.17"), ("44.1", "3,675"), ("60000", "5,000,000")])
def test_the_plan_writes_large_numbers_in_full(cli: Cli, pictures: Path, kimg: str, epochs: str) -> None:
    told = cli("train", "dcgan", "--data", pictures, *QUICK, "--kimg", kimg, "--dry-run")
    assert f" kimg: {epochs} epochs, " in told.out, told.err


def test_an_evaluation_takes_its_part_of_the_minutes(
    cli: Cli, steady: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    steady(1.0)
    command = ("train", "dcgan", *QUICK[:-1], "shapes", "--minutes", 0.5, "--dry-run")
    monkeypatch.setattr(length, "_seconds_of_an_evaluation", lambda *_: 10.0)
    steps = int(re.findall(r"([\d,]+) steps of", cli(*command).out)[0])
    assert 12 <= steps <= 19
    often = int(re.findall(r"([\d,]+) steps of", cli(*command, "--eval-every", 0.02).out)[0])
    assert often <= steps / 2


def test_no_minutes_train_nothing_and_few_train_a_step(cli: Cli, pictures: Path) -> None:
    command = ("train", "dcgan", "--data", pictures, *QUICK)
    assert cli(*command, "--minutes", 0, "--out", "none").code == 0
    assert cli(*command, "--minutes", 1e-9, "--out", "few").code == 0
    assert (total("none"), total("few")) == (0, 4)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--minutes", -1), "--minutes"),
        (("--minutes", "nan"), "--minutes"),
        (("--minutes", 1e300), "--minutes"),
        (("--minutes", 1, "--steps", 1), "--steps and --minutes each set the training length: give only one"),
        (("--minutes", 1, "--epochs", 1), "--epochs and --minutes each set the training length: give only one"),
    ],
)
def test_bad_minutes_are_refused(cli: Cli, pictures: Path, given: tuple[object, ...], says: str) -> None:
    result = cli("train", "dcgan", "--data", pictures, *QUICK, *given)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "measured", [3, {"minutes": "x", "images": 4}, {"minutes": 1, "images": -4}, {"minutes": 1, "images": 2**60}]
)
def test_a_spoilt_length_of_a_run_is_refused(cli: Cli, pictures: Path, measured: Any) -> None:
    command = ("train", "dcgan", "--data", pictures, *QUICK, "--out", "x")
    cli(*command, "--minutes", 0)
    about = json.loads(Path("x/run.json").read_text()) | {"measured": measured}
    Path("x/run.json").write_text(json.dumps(about))
    result = cli(*command, "--resume")
    assert result.code == 2
    assert "run.json" in result.err


def test_a_run_of_before_resumes(cli: Cli, pictures: Path) -> None:
    """Its run.json does not know of minutes."""
    command = ("train", "dcgan", "--data", pictures, *QUICK, "--steps", 3, "--out", "x")
    cli(*command)
    about = json.loads(Path("x/run.json").read_text())
    assert about["options"].pop("minutes") is None
    assert "measured" not in about
    Path("x/run.json").write_text(json.dumps(about))
    assert cli(*command, "--resume").code == 0


@pytest.mark.processes
def test_processes_agree_on_the_minutes(cli: Cli, pictures: Path) -> None:
    """Each measures something else; all take what the first one found, and play as many steps to find it."""
    from tests.training import agreeing

    command = ("dcgan", "--data", pictures, *QUICK, "--precision", "fp32")
    done = forked.together(2, "train", *command, "--minutes", 0.02, "--out", "many", program=agreeing.main)
    assert done.returncode == 0, done.stderr[-2000:]
    steps = total("many") // 4
    done = forked.together(2, "train", *command, "--steps", steps, "--out", "again", program=agreeing.main)
    assert done.returncode == 0, done.stderr[-2000:]
    assert final("many") == final("again")
