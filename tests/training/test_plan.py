"""The plan: what it says, to people and to scripts alike, and what it warns of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gancli import registry
from gancli.data.spec import DataSpec
from gancli.engine import timing
from gancli.engine.timing import StepCost
from gancli.training.output import plan_warnings
from gancli.training.output.plan import Plan
from tests.conftest import Cli, noise_images

TINY = ("--batch", 4, "--width", 4, "--dry-run")
ENOUGH = plan_warnings.FEW_IMAGES


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let a step take so many seconds."""

    def set_pace(seconds: float) -> None:
        monkeypatch.setattr(timing, "step_cost", lambda *_: StepCost(seconds, 2**30))

    return set_pace


def plans(cli: Cli, *words: object) -> tuple[str, dict[str, Any]]:
    """The same plan for people and for scripts."""
    told, given = cli("train", *words, *TINY), cli("train", *words, *TINY, "--json")
    assert (told.code, given.code) == (0, 0), told.err
    return told.out, json.loads(given.out)


def warned(cli: Cli, *words: object) -> list[str]:
    """The warnings of a plan, which are the same in both."""
    text, plan = plans(cli, *words)
    assert [line[10:] for line in text.splitlines() if line.startswith("warning")] == plan["warnings"]
    return plan["warnings"]


# --------------------------------------------------------------------------------------------- the same facts


@pytest.mark.parametrize("more", [(), ("--minutes", 1), ("--accumulate", 2, "--preset", "paper"), ("--compile", "on")])
def test_people_and_scripts_learn_the_same(
    cli: Cli, pictures: Path, slow: Callable[[float], None], more: tuple[object, ...]
) -> None:
    slow(2.0)
    (pictures / "list.txt").write_text("x")
    text, plan = plans(cli, "dcgan", "--data", pictures, *more)
    rows = dict(line.split(maxsplit=1) for line in text.splitlines() if line[0] != " ")
    assert rows["variant"].startswith(plan["variant"])
    assert all(note in text for note in plan["data"]["notes"])
    assert len(plan["data"]["notes"]) == 2
    assert rows["image"] == f"{plan['image']['width']}x{plan['image']['height']}, {plan['image']['channels']} channels"
    assert rows["preset"].startswith(f"{plan['preset_name']}: ")
    assert all(f"{name} {value}" in rows["preset"] for name, value in plan["preset"].items())
    assert rows["device"] == f"{plan['device']}, {plan['threads']} thread{'s' * (plan['threads'] > 1)}"
    assert rows["precision"] == plan["precision_chosen"]
    assert f"{plan['steps']:,} steps of {plan['hparams']['batch']}" in rows["length"]
    assert (plan["minutes"] is None) == ("minutes" not in rows["length"])
    assert rows["out"] == plan["run"]
    assert plan["memory_bytes"] == 2**30
    assert "1 GiB of memory" in rows["time"]
    assert ("without torch.compile" in rows["time"]) == ("--compile" in more)
    assert plan["micro_batches"] == (2 if "batch" in rows else 1)


def test_a_dry_run_times_even_a_single_step(cli: Cli, pictures: Path) -> None:
    """Which a run does not: the trial would take longer than the run."""
    text, plan = plans(cli, "dcgan", "--data", pictures, "--steps", 1)
    assert "\ntime " in text
    assert plan["seconds"] > 0
    run = cli("train", "dcgan", "--data", pictures, *TINY[:-1], "--steps", 1, "--metrics", "none")
    assert "\ntime " not in run.out
    assert plans(cli, "dcgan", "--data", pictures, "--steps", 0)[1]["seconds"] is None


def test_a_run_that_starts_from_another_says_from_which(cli: Cli, pictures: Path) -> None:
    run = ("train", "dcgan", "--data", pictures, *TINY[:-1], "--steps", 1, "--metrics", "none", "--out", "x", "--quiet")
    assert cli(*run).code == 0
    told = cli("train", "dcgan", "--data", pictures, "--from", "x", "--dry-run", "--steps", 1, "--json")
    plan = json.loads(told.out)
    assert plan["from"] in told.err
    assert plan["preset_name"] is None
    assert not [text for text in plan["warnings"] if "only 12 images" in text]  # what the warning says to do


# ------------------------------------------------------------------------------------------------ warnings


def test_few_images_are_warned_of_and_enough_are_not(cli: Cli, tmp_path: Path) -> None:
    few, enough = (noise_images(tmp_path / str(count), count) for count in (19, ENOUGH))
    (said,) = warned(cli, "dcgan", "--data", few)
    assert said.startswith("only 19 images: D memorises them")
    assert f"Give {ENOUGH} or more" in said
    assert "--from MODEL" in said
    assert warned(cli, "dcgan", "--data", enough) == []


def test_the_smaller_domain_counts(cli: Cli, tmp_path: Path) -> None:
    for name, count in (("a", 5), ("b", ENOUGH)):
        noise_images(tmp_path / "two" / name, count, (16, 16))
    (said,) = warned(cli, "cyclegan", "--data", tmp_path / "two", "--blocks", 1)
    assert said.startswith("only 5 images in a domain: ")


@pytest.mark.parametrize("words", [("gan", "--data", "ring8"), ("bgan", "--data", "digits")])
def test_built_in_data_are_warned_of_nothing(cli: Cli, words: tuple[object, ...]) -> None:
    assert warned(cli, *words) == []


def test_labels_that_are_not_used_are_warned_of(cli: Cli, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        noise_images(tmp_path / "pets" / name, ENOUGH // 2)
    (said,) = warned(cli, "dcgan", "--data", tmp_path / "pets")
    assert said.startswith("the labels of 2 classes (cat, dog) are not used: dcgan learns from images alone.")
    assert f"train {registry.recommended(registry.LABELS)}, or see gancli list" in said
    assert warned(cli, "cgan", "--data", tmp_path / "pets") == []
    assert warned(cli, "cyclegan", "--data", tmp_path / "pets", "--size", 16, "--blocks", 1)[0].startswith("only 50")


def of_length(
    side: int, total: int, seconds: float | None = None, preset: str = "quick", name: str = "gan"
) -> list[str]:
    kind = registry.load(name)
    gan = kind(kind.hparams(width=2), DataSpec(3, side, side))  # pyright: ignore[reportCallIssue]
    return [*plan_warnings.of_length(gan, total, seconds, preset)]


def test_large_images_in_a_short_time_are_warned_of() -> None:
    (said,) = of_length(64, 99_000)
    assert "64x64 pixels need more than 99 kimg" in said
    assert "--size 32" in said
    assert of_length(64, plan_warnings.SHORT) == of_length(32, 1000) == []
    assert of_length(64, 10_000, name="pix2pix") == []  # a translator learns from less


def test_days_on_a_cpu_are_warned_of(cli: Cli, pictures: Path, slow: Callable[[float], None]) -> None:
    (said,) = of_length(32, 10**6, plan_warnings.LONG + 3600, "paper")
    assert said.startswith("training takes 13 h on this CPU: give --preset quick, --minutes")
    assert "--preset quick" not in of_length(32, 10**6, plan_warnings.LONG + 3600)[0]
    assert of_length(32, 10**6, plan_warnings.LONG) == []
    slow(3600.0)
    found = warned(cli, "dcgan", "--data", pictures, "--steps", 50)
    assert any("2 d 2 h" in text for text in found)


def test_only_a_cpu_is_warned_of_length(monkeypatch: pytest.MonkeyPatch, cli: Cli, pictures: Path) -> None:
    said = warned(cli, "dcgan", "--data", pictures, "--size", 64, "--steps", 1)
    assert any("expect blobs" in text for text in said)
    original = Plan._warnings  # type: ignore[attr-defined]

    def elsewhere(plan: Plan) -> object:
        plan.about["device"] = "cuda"
        return original(plan)

    monkeypatch.setattr(Plan, "_warnings", elsewhere)
    given = cli("train", "dcgan", "--data", pictures, "--size", 64, "--steps", 1, *TINY, "--json")
    assert not [text for text in json.loads(given.out)["warnings"] if "blobs" in text]
