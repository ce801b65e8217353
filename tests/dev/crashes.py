"""Kill and starve a training run at random moments, resume it, and see that nothing was lost.

    python -m tests.dev.crashes [TRIALS] [SEED]

Every trial is a run of the smallest `gan` that is struck one to three times, then resumed and left alone. It passes
when after each blow the newest whole checkpoint is not older than the last one that was reported as saved, and when the
final checkpoint equals that of a run that nothing befell, byte for byte, and the log has every step once.
Children are forked from a process that has imported everything, so that a trial takes a second.
"""

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS, SAVE_STEPS, BATCH = 24, 2, 4
MEMORY = Path("/dev/shm")  # a file system without a disk, where there is one: syncing costs nothing
ENDLESS = 10**9


def command(data: Path, folder: Path) -> list[str]:
    options = {"--batch": BATCH, "--width": 4, "--z-dim": 6, "--steps": STEPS, "--metrics": "none"}
    options |= {
        "--save-every": SAVE_STEPS * BATCH / 1000,
        "--sample-every": 0.05,
        "--device": "cpu",
        "--precision": "fp32",
    }
    words = ["train", "gan", "--data", data, "--out", folder, "--resume", "--quiet"]
    return [str(w) for w in (*words, *(w for option in options.items() for w in option))]


# ------------------------------------------------------------------------------------ what befalls a child


Blow = Callable[[random.Random, Path], None]  # arranged in the child, before it trains


def nothing(_dice: random.Random, _folder: Path) -> None: ...


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Comes due once, after some calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def due(self) -> bool:
        self.left -= 1
        return self.left == 0


def killed_in_a_write(dice: random.Random, _folder: Path) -> None:
    """At one of the moments of writing a file: half of it, all of it, on disk, renamed, the folder not synced yet."""
    name, before = dice.choice([("half", True), *((name, b) for name in ("fsync", "replace") for b in (True, False))])
    if name == "half":
        killed_half_way(dice, Countdown(dice.randrange(1, 15)))
        return
    real, countdown = getattr(os, name), Countdown(dice.randrange(1, 30))

    def call(*arguments: Any) -> Any:
        now = countdown.due()
        if now and before:
            die()
        result = real(*arguments)
        if now:
            die()
        return result

    setattr(os, name, call)


def killed_half_way(dice: random.Random, countdown: Countdown) -> None:
    from gancli.checkpoints import checkpoint

    write = checkpoint.save_file

    def half(tensors: Any, path: Path, **options: Any) -> None:
        now = countdown.due()
        write(tensors, path, **options)
        if now:
            os.truncate(path, dice.randrange(path.stat().st_size))
            die()

    checkpoint.save_file = half  # type: ignore[assignment]


def failing(name: str) -> Blow:
    """A call of the system that fails for a while from a random moment on, or for ever."""

    def arrange(dice: random.Random, _folder: Path) -> None:
        real, first = getattr(os, name), dice.randrange(1, 60)
        last, count = first + dice.choice([1, 5, ENDLESS]), [0]
        code = dice.choice([errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])

        def call(*arguments: Any) -> Any:
            count[0] += 1
            if first <= count[0] < last:
                raise OSError(code, os.strerror(code))
            return real(*arguments)

        setattr(os, name, call)

    return arrange


def failing_write(dice: random.Random, _folder: Path) -> None:
    """No file may grow beyond a limit from a random moment on: a write stops in the middle."""
    from gancli.training.loop import Training

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    play, first, limit = Training.step, dice.randrange(STEPS), dice.randrange(500, 60_000)

    def step(self: Training) -> Any:
        if self.clock.step == first:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return play(self)

    Training.step = step  # type: ignore[method-assign]


def full_disk(dice: random.Random, folder: Path) -> None:
    """The run's file system, a tmpfs, is filled at a random moment; half of the times, not for long."""
    from gancli.training.loop import Training

    play, first, lasts = Training.step, dice.randrange(STEPS), dice.choice([3, ENDLESS])

    def step(self: Training) -> Any:
        if self.clock.step == first:
            fill(folder.parent / "filler", dice.randrange(3000))
        if self.clock.step == first + lasts:
            (folder.parent / "filler").unlink()
        return play(self)

    Training.step = step  # type: ignore[method-assign]


def fill(path: Path, but: int) -> None:
    free = os.statvfs(path.parent)
    with path.open("wb", buffering=0) as file:
        for size in (free.f_bavail * free.f_frsize - but, 512):
            try:
                while size > 0 and (written := file.write(b"\0" * min(size, 2**20))):
                    size -= written
            except OSError:
                pass


BLOWS: dict[str, tuple[int, Blow]] = {  # how many of 20 trials
    "kill -9 at a random time": (6, nothing),
    "kill -9 inside of a write": (6, killed_in_a_write),
    "fsync fails": (2, failing("fsync")),
    "rename fails": (2, failing("replace")),
    "write fails": (2, failing_write),
    "full tmpfs": (2, full_disk),
}


# --------------------------------------------------------------------------------------------------- trials


def child(arguments: list[str], arrange: Callable[[], None], kill_after: float | None = None) -> tuple[int, int]:
    """Run a command in a fork; its exit code, or minus the signal, and the last checkpoint it reported (images)."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reader)
        os._exit(_train(arguments, arrange, writer))
    os.close(writer)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    reported = b""
    while block := os.read(reader, 2**16):
        reported += block
    os.close(reader)
    _, status = os.waitpid(process, 0)
    saved = [int(word) for word in reported.split()]
    return os.waitstatus_to_exitcode(status), saved[-1] if saved else -1


def _train(arguments: list[str], arrange: Callable[[], None], writer: int) -> int:
    from gancli.cli.main import run
    from gancli.images import curves
    from gancli.training import loop
    from gancli.training.saving import Saves

    save = Saves.save

    def reported(self: Saves, images: int, write: Callable[[Path], None]) -> bool:
        done = save(self, images, write)
        if done:
            os.write(writer, f"{images} ".encode())
        return done

    Saves.save = reported  # type: ignore[method-assign]
    loop.LAST_SECONDS = 0
    curves.save_curves = lambda *_: None  # type: ignore[assignment]
    arrange()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 until the end of the process
    return run(arguments)


def final(folder: Path) -> bytes:
    return max((folder / "checkpoints").glob("0*.safetensors")).read_bytes()


def trial(kind: str, dice: random.Random, data: Path, folder: Path, whole: bytes, seconds: float) -> Counter[str]:
    """Strike a run, resume it, and compare; returns what happened. Raises AssertionError when something was lost."""
    from gancli.checkpoints.run_folder import Folder
    from gancli.system.atomic import PREFIX
    from gancli.training import resuming

    told: Counter[str] = Counter(trials=1)
    arguments = command(data, folder)
    for _ in range(dice.choice([1, 1, 2, 3])):
        seed, timed = dice.random(), kind.endswith("time")
        code, saved = child(
            arguments,
            lambda seed=seed: BLOWS[kind][1](random.Random(seed), folder),
            dice.uniform(0, seconds) if timed else None,
        )
        (folder.parent / "filler").unlink(missing_ok=True)
        assert code in (0, 2, -signal.SIGKILL), f"{kind}: exit code {code}"
        newest = resuming.newest(Folder(folder))
        found = int(newest.stem) if newest else -1
        assert found >= saved, f"{kind}: {saved} images were saved, {found} were found"
        told += Counter(blows=1, killed=code == -signal.SIGKILL, stopped=code == 2, survived=code == 0)
        told["half files"] += sum(1 for path in folder.rglob(f"{PREFIX}*/*"))
    code, _ = child(arguments, lambda: None)
    assert code == 0, f"{kind}: --resume ended with {code}"
    assert final(folder) == whole, f"{kind}: the final checkpoints differ"
    steps = [tick["step"] for tick in Folder(folder).ticks()]
    assert steps == sorted(set(steps)), f"{kind}: the log repeats steps"
    assert not list(folder.rglob(".*")), f"{kind}: half files are left"
    return told


def tmpfs(folder: Path) -> bool:
    """Mount a small file system of its own on a folder; false where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    return done.returncode == 0


def main(trials: int = 200, seed: int = 0) -> dict[str, Counter[str]]:
    """Run the trials and print a table; raises AssertionError at the first that fails."""
    import torch

    import gancli.training.launch  # noqa: F401  children need not import it then
    from tests.conftest import noise_images

    torch.set_num_threads(1)
    root = Path(tempfile.mkdtemp(prefix="gancli-crashes-", dir=MEMORY if MEMORY.is_dir() else None))
    os.environ["GANCLI_CACHE"] = str(root / "cache")
    data, dice, small = noise_images(root / "data"), random.Random(seed), root / "small"
    told: dict[str, Counter[str]] = {}
    start = time.monotonic()
    mounted = tmpfs(small)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to stop: report what was done
    try:
        child(command(data, root / "warm"), lambda: None)
        start = time.monotonic()
        assert child(command(data, root / "whole"), lambda: None)[0] == 0
        seconds, whole = time.monotonic() - start, final(root / "whole")
        kinds = [kind for kind, (share, _) in BLOWS.items() for _ in range(share) if mounted or kind != "full tmpfs"]
        dice.shuffle(kinds)  # so that a few trials are of many kinds
        for i in range(trials):
            kind = kinds[i % len(kinds)]
            place = small if kind == "full tmpfs" else root
            happened = trial(kind, dice, data, place / "run", whole, seconds)
            told[kind] = told.get(kind, Counter()) + happened
            shutil.rmtree(place / "run")
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    finally:
        if mounted:
            subprocess.run(["umount", small], check=False)
        shutil.rmtree(root, ignore_errors=True)
    report(told, time.monotonic() - start)
    return told


def report(told: dict[str, Counter[str]], seconds: float) -> None:
    columns = ("trials", "blows", "killed", "stopped", "survived", "half files")
    print(f"| what befell the run | {' | '.join(columns)} | resumed to equal bytes |")
    print(f"| --- |{' ---: |' * (len(columns) + 1)}")
    total: Counter[str] = sum(told.values(), Counter())
    for kind, counts in [*told.items(), ("all", total)]:
        numbers = " | ".join(str(counts[c]) for c in columns)
        print(f"| {kind} | {numbers} | {counts['trials']} |")
    print(f"\n{total['trials']} trials, {total['blows']} blows in {seconds:.0f} s; none lost a saved step")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
