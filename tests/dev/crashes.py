"""Inject faults into commands that write, repeat the commands, and check that nothing was lost.

    python -m tests.dev.crashes [TRIALS] [SEED]

Every trial is a command with one to three faults, which is then repeated without faults. It trains a tiny `gan` with
--resume (some runs decode their data into an empty cache, some keep a best checkpoint), or converts the weights of
another code base. A trial passes if its files equal those of an undisturbed command byte for byte, and no other file is
left. In a run, the newest intact checkpoint after each fault must not be older than the last one that was reported as
saved, and the log must contain every step once.
Children are forked from a process that has imported everything, so that a trial takes about a second.
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

from tests.dev import faults
from tests.dev.faults import STEPS, Fault, killed

SAVE_STEPS, BATCH, EVAL_STEPS = 2, 4, 3
MEMORY = Path("/dev/shm")  # a file system in memory, if there is one: fsync costs nothing
PUBLISHED = "horse2zebra"

Words = list[Any]


class Place(NamedTuple):
    """The folders of a trial."""

    root: Path  # contains `data` and `net.pth`, which are only read, and the cache that most trials share
    here: Path  # its own folder, in which its commands run

    @property
    def run(self) -> Path:
        return self.here / "run"

    @property
    def cache(self) -> Path:
        return self.here / "cache"


# ------------------------------------------------------------------------------------------- the commands


class Subject(NamedTuple):
    """A command, and the files that it writes."""

    words: Callable[[Place], Words]
    files: Callable[[Place], list[Path]]  # compared byte by byte
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

FAULTS: dict[str, tuple[int, Subject, Fault]] = {  # trials (of 20), command, fault
    "kill -9 at a random time": (3, RUN, faults.nothing),
    "kill -9 during a write": (4, RUN, killed(15)),
    "kill -9 during a cache write": (3, DECODING, faults.killed_in_a_cache_write),
    "kill -9 while writing best.safetensors": (2, SCORED, killed(1, "best.safetensors")),
    "kill -9 during an import": (2, IMPORT, killed(1, "000000000.safetensors")),
    "kill -9 while converting a published model": (2, PUBLISHING, killed(1)),
    "fsync fails": (1, RUN, faults.failing("fsync")),
    "rename fails": (1, RUN, faults.failing("replace")),
    "write fails": (1, RUN, faults.failing_write),
    "full tmpfs": (1, RUN, faults.full_disk),
}


# --------------------------------------------------------------------------------------------------- trials


def child(
    place: Place, subject: Subject, set_up: Callable[[], None], kill_after: float | None = None
) -> tuple[int, int]:
    """Run a command in a fork; return its exit code, or minus its signal, and its last saved checkpoint (images)."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reader)
        os._exit(_command(place, subject, set_up, writer))
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


def _command(place: Place, subject: Subject, set_up: Callable[[], None], writer: int) -> int:
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
    set_up()
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: SIM115 open until the process ends
    return run([str(word) for word in subject.words(place)])


def begin(place: Place) -> None:
    """Create the folder of a trial."""
    if not place.here.is_mount():
        place.here.mkdir()
    source = place.cache / "published/cyclegan" / f"{PUBLISHED}.pth"  # as if it had been downloaded
    source.parent.mkdir(parents=True)
    shutil.copy(place.root / "net.pth", source)


def end(place: Place) -> None:
    """Empty the folder of a trial, and remove it."""
    for path in place.here.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not place.here.is_mount():
        place.here.rmdir()


class Left(NamedTuple):
    """What a command has written."""

    files: list[bytes]
    log: list[tuple[int, list[str]]]  # steps, and which values each line has


def left(place: Place, subject: Subject) -> Left:
    from gancli.checkpoints.run_folder import Folder

    log = [(tick["step"], sorted(tick)) for tick in Folder(place.run).ticks()]
    return Left([path.read_bytes() for path in subject.files(place)], log)


def trial(kind: str, dice: random.Random, place: Place, whole: Left, seconds: float) -> Counter[str]:
    """Inject faults into a command, repeat it and compare. Return counts; raise AssertionError if anything was lost."""
    from gancli.checkpoints import checkpoint
    from gancli.checkpoints.run_folder import Folder
    from gancli.system import atomic
    from gancli.training import resuming

    told: Counter[str] = Counter(trials=1)
    _, subject, fault = FAULTS[kind]
    for _ in range(dice.choice([1, 1, 2, 3])):
        seed, timed = dice.random(), kind.endswith("time")
        kill_after = dice.uniform(0, seconds) if timed else None
        code, saved = child(place, subject, lambda seed=seed: fault(random.Random(seed), place.run), kill_after)
        (place.here / "filler").unlink(missing_ok=True)
        assert code in (0, 2, -signal.SIGKILL), f"{kind}: exit code {code}"
        newest = resuming.newest(Folder(place.run))
        there = int(newest.stem) if newest else -1
        assert there >= saved, f"{kind}: {saved} images were saved, {there} were found"
        torn = [path for path in place.here.rglob("[!.]*/*.safetensors") if not checkpoint.whole(path)]
        assert not torn, f"{kind}: incomplete files are in place: {torn}"
        told += Counter(faults=1, killed=code == -signal.SIGKILL, stopped=code == 2, survived=code == 0)
        told["partial files"] += sum(1 for path in place.here.rglob(f"{atomic.PREFIX}*/*"))
        told["partial files"] += sum(1 for path in place.cache.rglob(".gancli-new-*/*"))
        if code == 0:
            break  # the command ran to its end
    code, _ = child(place, subject, lambda: None)
    assert code == 0 or (subject is IMPORT and code == 2), (
        f"{kind}: repeated, it exited with {code}"
    )  # 2: already imported
    found = left(place, subject)
    assert found.files == whole.files, f"{kind}: the files differ"
    assert found.log == whole.log, f"{kind}: the log contains {found.log}"
    # an empty temporary folder may stay in the cache until the next conversion
    partial = [path for path in place.here.rglob(".*") if subject is not PUBLISHING or any(path.iterdir())]
    assert not partial, f"{kind}: partial files are left: {partial}"
    check = Subject(lambda _: ["check", "cache"], last, subject.own_cache)
    assert child(place, check, lambda: None)[0] == 0, f"{kind}: the cache is damaged"
    return told


def tmpfs(folder: Path) -> bool:
    """Mount a small file system on a folder; return False if that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    return done.returncode == 0


def main(trials: int = 200, seed: int = 0) -> dict[str, Counter[str]]:
    """Run the trials and print a table. Raise AssertionError at the first trial that fails."""
    import torch

    import gancli.checkpoints.importers.convert
    import gancli.training.launch  # noqa: F401  so that children need not import it
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # if terminated, report the trials so far
    try:
        whole, seconds = _undisturbed(Place(root, root / "undisturbed"))
        kinds = [kind for kind, (share, *_) in FAULTS.items() for _ in range(share) if mounted or kind != "full tmpfs"]
        dice.shuffle(kinds)  # so that few trials already have many kinds
        for i in range(trials):
            kind = kinds[i % len(kinds)]
            place = small if kind == "full tmpfs" else Place(root, root / "trial")
            begin(place)
            told[kind] = told.get(kind, Counter()) + trial(kind, dice, place, whole[FAULTS[kind][1]], seconds)
            end(place)
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    finally:
        if mounted:
            subprocess.run(["umount", small.here], check=False)
        shutil.rmtree(root, ignore_errors=True)
    report(told, time.monotonic() - start)
    return told


def _undisturbed(place: Place) -> tuple[dict[Subject, Left], float]:
    """Return what each command writes without faults, and the seconds that training takes."""
    found, seconds = dict[Subject, Left](), 0.0
    for subject in (RUN, DECODING, SCORED, IMPORT, PUBLISHING, RUN):  # the last run is timed, when everything is warm
        begin(place)
        start = time.monotonic()
        assert child(place, subject, lambda: None)[0] == 0, subject
        seconds = time.monotonic() - start
        found[subject] = left(place, subject)
        end(place)
    return found, seconds


def report(told: dict[str, Counter[str]], seconds: float) -> None:
    columns = ("trials", "faults", "killed", "stopped", "survived", "partial files")
    print(f"| fault | {' | '.join(columns)} | resumed to equal bytes |")
    print(f"| --- |{' ---: |' * (len(columns) + 1)}")
    total: Counter[str] = sum(told.values(), Counter())
    for kind, counts in [*told.items(), ("all", total)]:
        numbers = " | ".join(str(counts[c]) for c in columns)
        print(f"| {kind} | {numbers} | {counts['trials']} |")
    print(f"\n{total['trials']} trials, {total['faults']} faults in {seconds:.0f} s; no saved step was lost")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
