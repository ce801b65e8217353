"""The presets that the data choose."""

from pathlib import Path

import pytest

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
    assert "augment none" in plan(cli, *words, "--kimg", 0.19 * count)
    assert "augment diffaugment" in plan(cli, *words, "--kimg", 0.21 * count)
    assert "augment" not in plan(cli, *words, "--kimg", 0.21 * count, "--augment", "none")
