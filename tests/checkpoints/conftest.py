"""A run of four steps, trained once, and a copy of it for each test that asks."""

import shutil
from pathlib import Path

import pytest

from tests.checkpoints.runs import command
from tests.conftest import noise_images


@pytest.fixture(scope="session")
def four_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, and a run of four steps on them."""
    from gancli.cli import main

    folder = tmp_path_factory.mktemp("trained")
    words = command(noise_images(folder / "pictures"), folder / "x", 4, "--quiet")
    assert main.run([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def run(four_steps: Path, tmp_path: Path) -> Path:
    """A copy of that run, x, in the current folder, with the images that it was trained on."""
    shutil.copytree(four_steps, tmp_path, dirs_exist_ok=True)
    return Path("x")
