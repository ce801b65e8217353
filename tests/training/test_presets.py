"""The presets that the data choose."""

from pathlib import Path

import pytest

from gancli.data.spec import DataSpec
from gancli.registry import load
from gancli.training.options import RunOptions
from gancli.training.setup import open_data
from tests.conftest import Cli


def plan(cli: Cli, *words: object) -> str:
    result = cli("train", *words, "--size", 32, "--dry-run")
    assert result.code == 0, result.err
    return next(line for line in result.out.splitlines() if line.startswith("preset"))


@pytest.mark.parametrize("name", ["dcgan", "rpgan", "ebgan"])
@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_few_images_are_augmented_if_they_are_seen_often(cli: Cli, pictures: Path, name: str, preset: str) -> None:
    count = len([*pictures.iterdir()])
    words = (name, "--data", pictures, "--preset", preset, "--batch", 4)
    assert "augment" not in plan(cli, *words, "--kimg", 0.19 * count)
    assert "augment diffaugment" in plan(cli, *words, "--kimg", 0.21 * count)
    assert "augment" not in plan(cli, *words, "--kimg", 0.21 * count, "--augment", "none")


@pytest.mark.parametrize("length", ["epochs", "steps", "kimg"])
@pytest.mark.parametrize(("epochs", "augment"), [(190, "none"), (210, "diffaugment")])
def test_every_option_for_the_length_decides_how_often_images_are_seen(
    pictures: Path, length: str, epochs: int, augment: str
) -> None:
    count, batch = len([*pictures.iterdir()]), 4
    given = {"epochs": epochs, "steps": epochs * count // batch, "kimg": epochs * count / 1000}[length]
    values = {"batch": batch, **({"kimg": given} if length == "kimg" else {})}
    options = RunOptions(data=str(pictures), size="32", **({} if length == "kimg" else {length: given}))
    assert getattr(open_data("dcgan", values, options, lambda *_: None).hp, "augment") == augment  # noqa: B009


@pytest.mark.parametrize("name", ["stylegan2", "stylegan3"])
def test_style_models_have_ada_as_their_authors_do_and_in_minutes_for_few_images(name: str) -> None:
    kind, photograph = load(name), DataSpec(3, 32, 32)
    assert kind.paper(photograph, 32)["augment"] == "ada"
    assert "augment" not in {**kind.preset(photograph), **kind.few(photograph, 199)}
    assert kind.few(photograph, 201)["augment"] == "ada"
    assert kind.hparams().augment == "none"  # pyright: ignore[reportAttributeAccessIssue]  a run of an older version keeps it


@pytest.mark.parametrize("name", ["rpgan", "ragan"])
def test_the_high_learning_rate_of_small_images_is_theirs_alone(name: str) -> None:
    """At 64 pixels it diverged (docs/quick.md)."""
    rates = [load(name).preset(DataSpec(3, size, size))["lr"] for size in (28, 32, 33, 64)]
    assert rates == [2e-3, 2e-3, 1e-3, 1e-3]
