"""Nothing is lost when the disk is full, gone or lying, and nobody writes to a run beside its owner."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gancli.checkpoints import checkpoint
from gancli.checkpoints.run_folder import Folder
from gancli.errors import UserError
from gancli.system import atomic
from gancli.training import loop
from gancli.training.loop import Training
from tests import children
from tests.conftest import Cli
from tests.training.test_resuming import QUICK, final

STEPS = 8
SAVING = ("--save-every", 0.008, "--metrics", "none")  # every second step


def command(data: Path, out: str, steps: int = STEPS) -> tuple[object, ...]:
    return ("train", "gan", "--data", data, *QUICK, *SAVING, "--steps", steps, "--out", out)


@pytest.fixture
def whole(cli: Cli, pictures: Path) -> bytes:
    """The last checkpoint of a run that nothing befell."""
    assert cli(*command(pictures, "whole")).code == 0
    return final("whole")


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, happens: Callable[[], object]) -> None:
    """Let something happen in the middle of training."""
    play = Training.step

    def stepped(self: Training) -> dict[str, torch.Tensor]:
        if self.state.clock.step == step:
            happens()
        return play(self)

    monkeypatch.setattr(Training, "step", stepped)


def failing(monkeypatch: pytest.MonkeyPatch, name: str, times: float) -> None:
    """Let a call of the system fail for the next so many times, as it does on a full disk."""
    real, left = getattr(os, name), [times]

    def call(*arguments: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    monkeypatch.setattr(os, name, call)


# --- a disk that does not take it


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_stops_no_training(
    cli: Cli, pictures: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    at_step(monkeypatch, 3, lambda: failing(monkeypatch, call, 2))
    result = cli(*command(pictures, "x"))
    assert result.code == 0, result.err
    assert result.out.count("cannot be written (No space left on device)") == 1
    assert "can be written again" in result.out
    assert final("x") == whole
    assert not list(Path("x").rglob(".*"))


def test_a_disk_that_stays_full_ends_it_with_the_last_good_state(
    cli: Cli, pictures: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LAST_SECONDS", 0)
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda: failing(patch, "replace", float("inf")))
        result = cli(*command(pictures, "x"))
    assert result.code == 2
    assert "the last checkpoint could not be written: a checkpoint (No space left on device)" in result.err
    assert "--resume continues from 000000016.safetensors" in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert cli(*command(pictures, "x"), "--resume").code == 0
    assert final("x") == whole


def emptied() -> None:
    shutil.rmtree("x/checkpoints")
    for path in Path("x").glob("*.*"):
        path.unlink()


def test_a_folder_that_is_emptied_is_filled_again(
    cli: Cli, pictures: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 5, emptied)
    assert cli(*command(pictures, "x")).code == 0
    assert final("x") == whole
    assert json.loads(Path("x/run.json").read_text()) == json.loads(
        Path("whole/run.json").read_text().replace('"out": "whole"', '"out": "x"')
    )


def test_a_folder_that_vanishes_is_not_made_again(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LAST_SECONDS", 0)
    at_step(monkeypatch, 5, lambda: shutil.rmtree("x"))
    result = cli(*command(pictures, "x"))
    assert result.code == 2
    assert "the last checkpoint could not be written: " in result.err
    assert "x was re" in result.err  # moved or renamed: who can tell, says which
    assert len(result.err.strip().splitlines()) == 1
    assert not Path("x").exists()


def test_a_folder_that_nobody_may_write_to_is_said_before_training(cli: Cli, pictures: Path) -> None:
    result = cli(*command(pictures, "/proc/run"))
    assert result.code == 2
    assert "--out /proc/run cannot be created" in result.err


def test_a_line_that_a_full_disk_cut_is_taken_back(tmp_path: Path) -> None:
    """As root of a small file system would see it: half of the line fits."""
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom gancli.system import atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))\n"
        "path = Path(sys.argv[1])\natomic.append_text(path, 'a line of 16 by\\n')\n"
        "try:\n    atomic.append_text(path, 'another\\n')\nexcept OSError as error:\n    print(error.strerror)\n"
    )
    told = children.run([sys.executable, "-c", code, tmp_path / "log"], check=True)
    assert told.stdout.strip() in ("No space left on device", "File too large")
    assert (tmp_path / "log").read_text() == "a line of 16 by\n"


def test_lines_that_could_not_be_written_are_written_later(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, lost = Folder.append, [2]

    def sometimes(self: Folder, ticks: list) -> None:
        lost[0] -= 1
        if lost[0] >= 0:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        append(self, ticks)

    monkeypatch.setattr(Folder, "append", sometimes)
    assert cli(*command(pictures, "x")).code == 0
    assert [tick["step"] for tick in Folder(Path("x")).ticks()] == list(range(1, STEPS + 1))


# --- files that are not what was written


@given(st.data())
def test_no_flipped_bit_goes_unseen(one_checkpoint: bytes, tmp_path_factory: pytest.TempPathFactory, data) -> None:
    place = data.draw(st.integers(0, len(one_checkpoint) * 8 - 1))
    damaged = bytearray(one_checkpoint)
    damaged[place // 8] ^= 1 << place % 8
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(damaged)
    assert not checkpoint.whole(path)


def test_a_hash_that_lost_its_name_is_missed(one_checkpoint: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flipped.safetensors"
    name = b'\\"about\\"'
    assert one_checkpoint.count(name) == 1
    path.write_bytes(one_checkpoint.replace(name, name.replace(b"b", b"c")))
    assert not checkpoint.whole(path)


@pytest.fixture(scope="session")
def one_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from gancli.cli.main import run
    from tests.conftest import noise_images

    folder = tmp_path_factory.mktemp("one")
    arguments = [*command(noise_images(folder / "data"), str(folder / "x"), 2), "--quiet"]
    assert run([str(a) for a in arguments]) == 0
    return final(folder / "x")


def test_what_is_read_is_what_was_written(one_checkpoint: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(one_checkpoint)
    assert checkpoint.whole(path)
    assert checkpoint.resumes(path)
    checkpoint.strip(path)
    assert checkpoint.whole(path)
    assert not checkpoint.resumes(path)


def test_weights_that_are_no_numbers_are_refused(cli: Cli, one_checkpoint: bytes) -> None:
    from safetensors.torch import load, save_file

    tensors = {
        name: torch.full_like(t, torch.nan) if t.is_floating_point() else t for name, t in load(one_checkpoint).items()
    }
    Path("x.safetensors").write_bytes(one_checkpoint)
    about = json.loads(checkpoint_text(Path("x.safetensors"))) | {"sha256": {}}
    save_file(tensors, "x.safetensors", {"gancli": json.dumps(about)})
    result = cli("sample", "x.safetensors", "--out", "x.png")
    assert result.code == 2
    assert "not finite" in result.err
    assert not Path("x.png").exists()


def checkpoint_text(path: Path) -> str:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()["gancli"]


def test_a_damaged_newest_one_does_not_count_as_kept(cli: Cli, pictures: Path, whole: bytes) -> None:
    cli(*command(pictures, "x", 6))
    newest = Path("x/checkpoints/000000024.safetensors")
    content = bytearray(newest.read_bytes())
    content[-100] ^= 1
    newest.rename("x/checkpoints/000000029.safetensors").write_bytes(content)
    Path(f"x/checkpoints/{atomic.PREFIX}4194305-00c0ffee").mkdir()
    Path(f"x/checkpoints/{atomic.PREFIX}4194305-00c0ffee/000000028.safetensors").write_bytes(b"half")
    result = cli(*command(pictures, "x"), "--resume")
    assert result.code == 0, result.err
    assert "000000029.safetensors cannot be resumed" in result.out
    assert final("x") == whole
    kept = sorted(path for path in Path("x/checkpoints").iterdir() if path.suffix == ".safetensors")
    assert [checkpoint.resumes(path) for path in kept] == [False, False, True, True]
    assert not list(Path("x/checkpoints").glob(".*"))


# --- two at once


def test_a_second_process_is_refused_while_the_first_lives(cli: Cli, pictures: Path) -> None:
    Path("x").mkdir()
    holder = children.start(
        [sys.executable, "-c", "import fcntl, os\nfcntl.flock(os.open('x', 0), 2)\nprint(flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    result = cli(*command(pictures, "x"))
    assert (result.code, result.err) == (
        2,
        "gancli: --out x is in use by another training process: give another folder, or wait\n",
    )
    assert not list(Path("x").iterdir())
    holder.kill()
    holder.communicate()
    assert cli(*command(pictures, "x")).code == 0


def test_two_that_start_at_once_get_folders_of_their_own(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.mkdir
    at_once = iter([Path("runs/gan-pictures-1")])

    def mkdir(self: Path, *arguments: object, **options: object) -> None:
        if (other := next(at_once, None)) is not None:
            real(other, parents=True)  # the other one was quicker
        real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert cli("train", "gan", "--data", pictures, *QUICK, "--steps", 1).code == 0
    assert Path("runs/gan-pictures-2/run.json").is_file()
    assert not list(Path("runs/gan-pictures-1").iterdir())


def test_an_error_leaves_no_folder(cli: Cli, pictures: Path) -> None:
    assert cli("train", "gan", "--data", pictures, *QUICK, "--metrics", "nonsense").code == 2
    assert not Path("runs").exists()


def test_a_lock_is_free_again(tmp_path: Path) -> None:
    with atomic.locked(tmp_path) as first, atomic.locked(tmp_path) as second:
        assert (first, second) == (True, False)
    with atomic.locked(tmp_path) as third:
        assert third


def test_a_checkpoint_in_a_folder_of_that_name_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(UserError):
        checkpoint.describe(tmp_path / "x.safetensors")
