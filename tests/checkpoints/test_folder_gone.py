"""A run's folder that is renamed or removed while it is written to."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gancli.checkpoints.run_folder import Folder
from gancli.system import atomic
from gancli.training import loop
from gancli.training.loop import Training
from tests.checkpoints.runs import command, state
from tests.conftest import Cli
from tests.training.test_resuming import final
from tests.training.test_saving import at_step


def renamed_at(monkeypatch: pytest.MonkeyPatch, step: int, then: Callable[[], object] = lambda: None) -> None:
    monkeypatch.setattr(loop, "LAST_SECONDS", 0)
    at_step(monkeypatch, step, lambda: (Path("x").rename("y"), then()))


def test_a_renamed_folder_is_not_made_again(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        renamed_at(patch, 5)
        result = cli(*command(pictures, "x", 8))
    assert result.code == 2
    assert not Path("x").exists()
    assert result.out.count("cannot be written") == 1
    assert "the last checkpoint could not be written: " in result.err
    assert len(result.err.splitlines()) == 1
    if sys.platform == "linux":
        assert f"x was renamed to {Path('y').absolute()}" in result.err
    assert cli(*command(pictures, "y", 8, "--resume")).code == 0


def test_what_another_puts_in_its_place_is_not_written_to(
    cli: Cli, four_steps: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed_at(monkeypatch, 5, lambda: shutil.copytree(four_steps / "x", "x"))
    assert cli(*command(pictures, "x", 8, "--sample-every", 0.008)).code == 2
    assert state("x") == {str(Path("x", *Path(k).parts[-(len(Path(k).parts) - len(four_steps.parts) - 1) :])): v
                          for k, v in state(four_steps / "x").items()}  # fmt: skip


def test_a_folder_that_is_renamed_back_is_written_to_again(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*command(pictures, "whole", 12)).code == 0
    at_step(monkeypatch, 5, lambda: Path("x").rename("y"))
    at_step(monkeypatch, 10, lambda: Path("y").rename("x"))
    result = cli(*command(pictures, "x", 12))
    assert result.code == 0, result.err
    assert final("x") == final("whole")
    assert [tick["step"] for tick in Folder(Path("x")).ticks()] == list(range(1, 13))
    assert result.out.count("was renamed") <= 1 < result.out.count("can be written again")


def test_nothing_is_written_below_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with atomic.locked(folder):
        atomic.write_text(folder / "deep" / "er" / "a", "while it is there")
        folder.rename(tmp_path / "moved")
        for _ in range(2):
            for name in ("a", "deep/a"):
                with pytest.raises(atomic.Gone):
                    atomic.write_text(folder / name, "x")
                with pytest.raises(atomic.Gone):
                    atomic.append_text(folder / name, "x")
            assert not list(folder.iterdir() if folder.exists() else [])
            folder.mkdir(exist_ok=True)  # somebody else's
    atomic.write_text(folder / "deep" / "a", "nobody holds it")


def test_going_back_wants_what_was_saved(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a beginning from nothing, because the folder is not there."""

    monkeypatch.setattr("gancli.engine.finite.IN_A_ROW", 1)
    real = Training.step

    def step(self: Training) -> dict[str, torch.Tensor]:
        if self.state.clock.step == 5:
            shutil.rmtree("x")
        log = real(self)
        if self.state.clock.step > 5:
            self._health.add(torch.ones(()))
        return log

    monkeypatch.setattr(Training, "step", step)
    result = cli(*command(pictures, "x", 8))
    assert (result.code, "training must return to its last checkpoint" in result.err) == (2, True)
