"""Kill and starve commands that write at random moments, repeat them, and see that nothing was lost.

    python -m tests.dev.crashes [TRIALS] [SEED]

Every trial is a command that is struck one to three times, then repeated and left alone: a run of the smallest `gan`
that goes on with --resume, with data that are decoded into an empty cache, or with a best checkpoint; or a conversion
of somebody's weights. It passes when what it leaves equals what a command leaves that nothing befell, byte for byte,
and nothing besides; of a run, when after each blow the newest whole checkpoint is not older than the last one that was
reported as saved, and when the log has every step once.
Children are forked from a process that has imported everything, so that a trial takes a second.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.dev import blows
from tests.dev.blows import STEPS, Blow, killed

SAVE_STEPS, BATCH, EVAL_STEPS = 2, 4, 3
MEMORY = Path("/dev/shm")  # a file system without a disk, where there is one: syncing costs nothing
PUBLISHED = "horse2zebra"

Words = list[Any]


class Place(NamedTuple):
    """Where a trial works."""

    root: Path  # with `data` and `net.pth`, which are only read, and the cache that most trials share
    here: Path  # its own; the current folder of its commands

    @property
    def run(self) -> Path:
        return self.here / "run"

    @property
    def cache(self) -> Path:
        return self.here / "cache"


# ------------------------------------------------------------------------------------------- what is struck


class Subject(NamedTuple):
    """A command, and what it leaves."""

    words: Callable[[Place], Words]
    files: Callable[[Place], list[Path]]  # that must be equal
    own_cache: bool = False


def train(place: Place, *more: object) -> Words:
    options = {"--batch": BATCH, "--width": 4, "--z-dim": 6, "--steps": STEPS, "--device": "cpu", "--precision": "fp32"}
    options |= {"--save-every": SAVE_STEPS * BATCH / 1000, "--sample-every": 0.05}
    words = ["train", "gan", "--data", place.root / "data", "--out", place.run, "--resume", "--quiet", *more]
    return [*words, *(word for option in options.items() for word in option)]


def last(place: Place) -> list[Path]:
    return [max((place.run / "checkpoints").glob("0*.safetensors"))]


def last_and_best(place: Place) -> list[Path]:
    return [*last(place), place.run / "checkpoints" / "best.safetensors"]


def imported(place: Place) -> list[Path]:
    return [place.here / "runs/x" / name for name in ("run.json", "checkpoints/000000000.safetensors")]


def fetched(place: Place) -> list[Path]:
    return [place.cache / "published/cyclegan" / f"{PUBLISHED}.safetensors"]


UNSCORED = ("--metrics", "none")
RUN = Subject(lambda place: train(place, *UNSCORED), last)
DECODING = Subject(lambda place: train(place, *UNSCORED), last, own_cache=True)
SCORED = Subject(
    lambda place: train(place, "--metrics", "local", "--eval-every", EVAL_STEPS * BATCH / 1000), last_and_best
)
IMPORT = Subject(lambda place: ["import", place.root / "net.pth", "--as", "x"], imported)
PUBLISHING = Subject(lambda _: ["info", PUBLISHED], fetched, own_cache=True)

STRIKES: dict[str, tuple[int, Subject, Blow]] = {  # how many of 20 trials
    "kill -9 at a random time": (3, RUN, blows.nothing),
    "kill -9 inside of a write": (4, RUN, killed(15)),
    "kill -9 inside of a cache write": (3, DECODING, blows.killed_in_a_cache_write),
    "kill -9 inside of best.safetensors": (2, SCORED, killed(1, "best.safetensors")),
    "kill -9 inside of an import": (2, IMPORT, killed(1, "000000000.safetensors")),
    "kill -9 inside of a published model's conversion": (2, PUBLISHING, killed(1)),
    "fsync fails": (1, RUN, blows.failing("fsync")),
    "rename fails": (1, RUN, blows.failing("replace")),
    "write fails": (1, RUN, blows.failing_write),
    "full tmpfs": (1, RUN, blows.full_disk),
}


# --------------------------------------------------------------------------------------------------- trials


def child(
    place: Place, subject: Subject, arrange: Callable[[], None], kill_after: float | None = None
) -> tuple[int, int]:
    """Run a command in a fork; its exit code, or minus the signal, and the last checkpoint it reported (images)."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reader)
        os._exit(_command(place, subject, arrange, writer))
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


def _command(place: Place, subject: Subject, arrange: Callable[[], None], writer: int) -> int:
    from gancli.cli.main import run
    from gancli.evaluation.extractors import local
    from gancli.images import curves
    from gancli.system import cache
    from gancli.training import loop, monitor
    from gancli.training.saving import Saves

    save = Saves.save

    def reported(self: Saves, images: int, write: Callable[[Path], None]) -> bool:
        done = save(self, images, write)
        if done:
            os.write(writer, f"{images} ".encode())
        return done

    Saves.save = reported  # type: ignore[method-assign]
    loop.LAST_SECONDS = 0
    monitor.FAKES, local.STEPS = 16, 12
    curves.save_curves = lambda *_: None  # type: ignore[assignment]
    os.environ["GANCLI_CACHE"] = str(place.cache if subject.own_cache else place.root / "cache")
    cache.root.cache_clear()
    os.chdir(place.here)
    arrange()
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: SIM115 until the end of the process
    return run([str(word) for word in subject.words(place)])


def begin(place: Place) -> None:
    """Make the folder of a trial."""
    if not place.here.is_mount():
        place.here.mkdir()
    source = place.cache / "published/cyclegan" / f"{PUBLISHED}.pth"  # as if it had been fetched
    source.parent.mkdir(parents=True)
    shutil.copy(place.root / "net.pth", source)


def end(place: Place) -> None:
    """Leave the place empty."""
    for path in place.here.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not place.here.is_mount():
        place.here.rmdir()


class Left(NamedTuple):
    """What a command leaves."""

    files: list[bytes]
    log: list[tuple[int, list[str]]]  # steps, and what is said of them


def left(place: Place, subject: Subject) -> Left:
    from gancli.checkpoints.run_folder import Folder

    log = [(tick["step"], sorted(tick)) for tick in Folder(place.run).ticks()]
    return Left([path.read_bytes() for path in subject.files(place)], log)


def trial(kind: str, dice: random.Random, place: Place, whole: Left, seconds: float) -> Counter[str]:
    """Strike a command, repeat it, and compare; returns what happened. Raises AssertionError for what was lost."""
    from gancli.checkpoints import checkpoint
    from gancli.checkpoints.run_folder import Folder
    from gancli.system import atomic
    from gancli.training import resuming

    told: Counter[str] = Counter(trials=1)
    _, subject, blow = STRIKES[kind]
    for _ in range(dice.choice([1, 1, 2, 3])):
        seed, timed = dice.random(), kind.endswith("time")
        kill_after = dice.uniform(0, seconds) if timed else None
        code, saved = child(place, subject, lambda seed=seed: blow(random.Random(seed), place.run), kill_after)
        (place.here / "filler").unlink(missing_ok=True)
        assert code in (0, 2, -signal.SIGKILL), f"{kind}: exit code {code}"
        newest = resuming.newest(Folder(place.run))
        there = int(newest.stem) if newest else -1
        assert there >= saved, f"{kind}: {saved} images were saved, {there} were found"
        torn = [path for path in place.here.rglob("[!.]*/*.safetensors") if not checkpoint.whole(path)]
        assert not torn, f"{kind}: half of {torn} is in place"
        told += Counter(blows=1, killed=code == -signal.SIGKILL, stopped=code == 2, survived=code == 0)
        told["half files"] += sum(1 for path in place.here.rglob(f"{atomic.PREFIX}*/*"))
        told["half files"] += sum(1 for path in place.cache.rglob(".gancli-new-*/*"))
        if code == 0:
            break  # it is all there
    code, _ = child(place, subject, lambda: None)
    assert code == 0 or (subject is IMPORT and code == 2), f"{kind}: repeated, it ended with {code}"  # 2: it is there
    found = left(place, subject)
    assert found.files == whole.files, f"{kind}: what is left differs"
    assert found.log == whole.log, f"{kind}: the log has {found.log}"
    # the folder of what was in place already may stay in the cache, empty, until something else is converted
    half = [path for path in place.here.rglob(".*") if subject is not PUBLISHING or any(path.iterdir())]
    assert not half, f"{kind}: half files are left: {half}"
    check = Subject(lambda _: ["check", "cache"], last, subject.own_cache)
    assert child(place, check, lambda: None)[0] == 0, f"{kind}: the cache is damaged"
    return told


def tmpfs(folder: Path) -> bool:
    """Mount a small file system of its own on a folder; false where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    return done.returncode == 0


def main(trials: int = 200, seed: int = 0) -> dict[str, Counter[str]]:
    """Run the trials and print a table; raises AssertionError at the first that fails."""
    import torch

    import gancli.checkpoints.importers.convert
    import gancli.training.launch  # noqa: F401  children need not import it then
    from tests.checkpoints.renditions import ResNet
    from tests.conftest import noise_images

    torch.set_num_threads(1)
    root = Path(tempfile.mkdtemp(prefix="gancli-crashes-", dir=MEMORY if MEMORY.is_dir() else None))
    noise_images(root / "data")
    torch.save(ResNet(1, 1).state_dict(), root / "net.pth")
    dice, small = random.Random(seed), Place(root, root / "small")
    told: dict[str, Counter[str]] = {}
    start = time.monotonic()
    mounted = tmpfs(small.here)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to stop: report what was done
    try:
        whole, seconds = _unstruck(Place(root, root / "unstruck"))
        kinds = [kind for kind, (share, *_) in STRIKES.items() for _ in range(share) if mounted or kind != "full tmpfs"]
        dice.shuffle(kinds)  # so that a few trials are of many kinds
        for i in range(trials):
            kind = kinds[i % len(kinds)]
            place = small if kind == "full tmpfs" else Place(root, root / "trial")
            begin(place)
            told[kind] = told.get(kind, Counter()) + trial(kind, dice, place, whole[STRIKES[kind][1]], seconds)
            end(place)
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    finally:
        if mounted:
            subprocess.run(["umount", small.here], check=False)
        shutil.rmtree(root, ignore_errors=True)
    report(told, time.monotonic() - start)
    return told


def _unstruck(place: Place) -> tuple[dict[Subject, Left], float]:
    """What each command leaves that nothing befalls, and the seconds that training takes."""
    found, seconds = dict[Subject, Left](), 0.0
    for subject in (RUN, DECODING, SCORED, IMPORT, PUBLISHING, RUN):  # the last time, all is warm
        begin(place)
        start = time.monotonic()
        assert child(place, subject, lambda: None)[0] == 0, subject
        seconds = time.monotonic() - start
        found[subject] = left(place, subject)
        end(place)
    return found, seconds


def report(told: dict[str, Counter[str]], seconds: float) -> None:
    columns = ("trials", "blows", "killed", "stopped", "survived", "half files")
    print(f"| what befell the command | {' | '.join(columns)} | resumed to equal bytes |")
    print(f"| --- |{' ---: |' * (len(columns) + 1)}")
    total: Counter[str] = sum(told.values(), Counter())
    for kind, counts in [*told.items(), ("all", total)]:
        numbers = " | ".join(str(counts[c]) for c in columns)
        print(f"| {kind} | {numbers} | {counts['trials']} |")
    print(f"\n{total['trials']} trials, {total['blows']} blows in {seconds:.0f} s; none lost a saved step")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
