"""Several processes: they agree, with each other and with one alone, and none waits for ever for one that is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gancli.errors import UserError
from gancli.system.devices import choose_device
from gancli.system.processes.spread import spread_over
from gancli.system.processes.watchdog import BEAT, Watch
from gancli.training.batch_size import largest
from tests import children, forked
from tests.conftest import Cli
from tests.training import agreeing

# bf16 rounds a sum of parts otherwise than the whole: what agrees to the bit or nearly so does in fp32
# and on CPUs: few machines have a GPU for each process
QUICK = ("--batch", 8, "--width", 4, "--z-dim", 6, "--sample-every", 1000, "--precision", "fp32", "--device", "cpu")
# Adam moves a weight by up to the learning rate a step, whatever the size of its gradient: what learns from other rows
# or other noise ends about that far away; rounding (eps times the root of some 10^4 terms) does not come near 1 % of it
WAY = 5 * 2e-4  # steps x learning rate, at the default
ROUNDING = torch.finfo(torch.float32).eps * (10**4) ** 0.5
AGREEING = str(Path(__file__).parent / "agreeing.py")


def torchrun(processes: int, *words: object) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*launcher, AGREEING, "train", *map(str, words)]


def run(processes: int, *words: object) -> "subprocess.CompletedProcess[str]":
    return forked.together(processes, "train", *words, program=agreeing.main)


def final(folder: str) -> dict[str, torch.Tensor]:
    return load_file(max(Path(folder, "checkpoints").glob("*.safetensors")))


def assert_same(one: str, other: str) -> None:
    found, wanted = final(other), final(one)
    assert found.keys() == wanted.keys()
    for key in wanted:
        torch.testing.assert_close(found[key], wanted[key], rtol=ROUNDING, atol=WAY / 100, msg=key)


@pytest.mark.processes
@pytest.mark.parametrize(("name", "processes"), [("gan", 4), ("dcgan", 2), ("wgan-gp", 2), ("progan", 2)])
def test_processes_agree_with_each_other_and_with_one(cli: Cli, pictures: Path, name: str, processes: int) -> None:
    command = (name, "--data", pictures, *QUICK, "--steps", 5, "--lr", 2e-4)
    done = run(processes, *command, "--out", "many")
    assert done.returncode == 0, done.stderr[-2000:]
    assert cli("train", *command, "--out", "one").code == 0
    assert_same("one", "many")


@pytest.mark.processes
def test_a_run_goes_on_with_another_number_of_processes(cli: Cli, pictures: Path) -> None:
    command = ("gan", "--data", pictures, *QUICK)
    done = run(2, *command, "--steps", 3, "--out", "parts")
    assert done.returncode == 0, done.stderr[-2000:]
    assert cli("train", *command, "--steps", 6, "--out", "parts", "--resume").code == 0
    assert cli("train", *command, "--steps", 6, "--out", "whole").code == 0
    assert_same("whole", "parts")


def test_processes_choose_one_precision(cli: Cli, pictures: Path) -> None:
    done = run(2, "gan", "--data", pictures, *QUICK, "--precision", "auto", "--steps", 2, "--out", "x")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("\nprecision ") == 1  # of the first, in which the other agrees to the bit


def test_parts_of_a_batch_add_up_to_it(cli: Cli, pictures: Path) -> None:
    command = ("train", "gan", "--data", pictures, *QUICK, "--steps", 4)
    assert cli(*command, "--out", "whole").code == 0
    result = cli(*command, "--out", "parts", "--accumulate", 4)
    assert result.code == 0
    assert "batch     4 micro-batches of 2\n" in result.out
    assert_same("whole", "parts")


def test_what_micro_batches_change_is_said_before_the_first_step(cli: Cli, pictures: Path) -> None:
    small = ("--data", pictures, "--batch", 8, "--width", 4, "--dry-run")
    ghosts = "batch     2 micro-batches of 4; batch norm and minibatch discrimination see one micro-batch at a time"
    assert ghosts in cli("train", "improved", *small, "--accumulate", 2).out
    assert "micro-batch" not in cli("train", "improved", *small).out


def test_batches_must_divide(cli: Cli, pictures: Path) -> None:
    result = cli("train", "gan", "--data", pictures, "--batch", 10, "--accumulate", 4)
    assert result.code == 2
    assert "--batch 10 cannot be split evenly into 1 x 4 micro-batches" in result.err


# --------------------------------------------------------------------------------------- a process is gone


class Table(dict[str, int]):
    """A store within one process."""

    def add(self, key: str, value: int, /) -> int:
        self[key] = self.get(key, 0) + value
        return self[key]


def watches(world: int, patience: int = 3, beat: float = BEAT) -> tuple[Table, list[Watch]]:
    table = Table()
    return table, [Watch(table, rank, world, beat=beat, patience=patience) for rank in range(world)]


def test_a_process_without_beats_is_named_to_all() -> None:
    _, (first, second, third) = watches(3)
    for _ in range(6):
        assert [watch.look() for watch in (first, second, third)] == [None] * 3
    first.look()  # sees the last beat of the second
    for _ in range(3):
        assert (first.look(), third.look()) == (None, None)
    assert first.look() == 1
    assert third.look() == 1


def test_a_pause_of_all_processes_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z, a scheduler that preempts, a machine with too much to do: whoever wakes up first sees no new beat."""
    _, (first, second) = watches(2)
    assert (first.look(), second.look(), first.look()) == (None, None, None)
    later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert (first.look(), second.look(), first.look()) == (None, None, None)


def test_the_host_of_the_store_leaves_last_but_does_not_wait_for_the_dead() -> None:
    table, (first, second) = watches(2, patience=15, beat=0.02)
    first.start()
    leaving = threading.Thread(target=first.stop, kwargs={"well": True})
    leaving.start()
    for _ in range(10):
        table.add("gancli/beat/1", 1)
        time.sleep(0.02)
    assert leaving.is_alive()
    second.start().stop(well=True)
    leaving.join(5)
    assert not leaving.is_alive()
    _, (first, dead) = watches(2, patience=15, beat=0.02)
    dead.look()
    first.start().stop(well=True)  # returns


def test_beats_keep_a_slow_process_alive_and_a_finished_one_is_not_missed() -> None:
    _, (first, second) = watches(2)
    for _ in range(4):
        assert [first.look() for _ in range(3)] == [None] * 3
        second.look()
    second.start().stop(well=True)
    assert [first.look() for _ in range(9)] == [None] * 9


def workers_of(process: "subprocess.Popen[Any]") -> dict[int, int]:
    """The workers of torchrun by rank."""
    found: dict[int, int] = {}
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        environment = Path(f"/proc/{child}/environ").read_text().split("\0")
        found |= {int(entry[5:]): int(child) for entry in environment if entry.startswith("RANK=")}
    return found


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the workers in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_when_one_dies_or_hangs_the_others_end_and_name_it(cli: Cli, pictures: Path, number: int) -> None:
    command = torchrun(3, "gan", "--data", pictures, *QUICK, "--batch", 9, "--steps", 10**7, "--out", "x")
    process = children.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 90
    while not Path("x/metrics.jsonl").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    workers = workers_of(process)
    os.kill(workers[1], number)
    sent = time.monotonic()
    while any(Path(f"/proc/{workers[rank]}/cwd").exists() for rank in (0, 2)):
        assert time.monotonic() - sent < 30
        time.sleep(0.1)
    if number == signal.SIGSTOP:
        os.kill(workers[1], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "gancli: rank 1 of 3 died or hung" in err


# ------------------------------------------------------------------------------------------- GPUs and memory


@pytest.mark.parametrize(
    ("there", "found"),
    [(0, "no GPU on this machine; leave --gpus out"), (2, "only 2 on this machine; give at most that many")],
)
def test_gpus_that_are_not_there_are_an_error(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch, there: int, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    result = cli("train", "gan", "--data", pictures, "--gpus", 3)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert f"--gpus 3: torch finds {found}" in result.err


def test_a_process_without_a_gpu_of_its_own_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert choose_device("auto") == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UserError, match="torchrun started 2 processes on this machine, which has 1 GPU: start at most"):
        choose_device("auto")
    assert choose_device("cpu") == torch.device("cpu")


def test_several_gpus_start_what_torchrun_would(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(os, "execve", lambda _, words, __: started.append(words))
    monkeypatch.setattr(sys, "argv", ["gancli", "train", "dcgan", "--gpus", "4"])
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    spread_over(4)
    words = " ".join(started[0][1:])
    assert words == "-m gancli.system.processes.torchrun --standalone --nproc-per-node 4 -m gancli train dcgan --gpus 4"
    monkeypatch.setenv("WORLD_SIZE", "4")  # as torchrun sets it for those it starts
    spread_over(4)
    assert len(started) == 1


def test_batch_auto_is_for_gpus(cli: Cli, pictures: Path) -> None:
    result = cli("train", "gan", "--data", pictures, "--batch", "auto", "--device", "cpu")
    assert result.code == 2
    assert "--batch auto needs a GPU, but the device is cpu" in result.err
    assert "give a whole number above 0, or auto" in cli("train", "gan", "--batch", "some").err
    assert "give a whole number above 0, or auto" in cli("train", "gan", "--batch", "0").err


@pytest.mark.parametrize(("room", "size"), [(0, 0), (1, 1), (100, 64), (10**9, 512)])
def test_the_largest_batch_that_fits_is_found_by_doubling(room: int, size: int) -> None:
    assert largest(lambda n: n <= room, 800) == size
