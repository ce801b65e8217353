"""Feed spoiled files to the commands, and see that none of them crashes, hangs, grows or writes where it should not.

    python -m tests.fuzz [MUTANTS] [SEED]

Each mutant is read by one command, called in this process as the command line calls it. A worker that is forked for
some hundred mutants takes a crash or a hang with it, and says which mutant it was: python -m tests.fuzz one NUMBER.
"""

import ast
import contextlib
import faulthandler
import functools
import io
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from gancli import cli
from gancli.cli.train import Variants
from tests import mutants
from tests.mutants import Source

SECONDS, GROWTH, ADDRESSES = 10, 2 * 2**30, 12 * 2**30  # of a mutant; a worker may not map more than the last
WAITING = 900  # seconds: the machine may be shared, and this process be stopped for a while
LANES = 2  # workers at a time
PART = 100  # mutants a worker
SMALL = ("--batch", "4", "--width", "4", "--z-dim", "4")  # as the runs in tests/mutants.py
TRAIN = ("train", "gan", "--steps", "1", "--dry-run", "--device", "cpu", "--size", "8", "--workers", "2", *SMALL)


class Told(NamedTuple):
    """What a command did with a mutant."""

    kind: str
    command: str
    code: int
    seconds: float
    wrong: str  # empty when all was well


class Fuzzer:
    """A folder with whole files, in the middle of folders that nothing may be written to."""

    def __init__(self, seed: int) -> None:
        self.seed, self.root = seed, Path(tempfile.mkdtemp(prefix="gancli-fuzz-"))
        cli.get_command = functools.cache(cli.get_command)  # the same commands again and again
        Variants.get_command = functools.cache(Variants.get_command)
        os.environ["GANCLI_CACHE"] = str(self.root / "cache")
        lanes = [self.root / "some" / "where" / f"deep{lane}" for lane in range(LANES)]
        for lane in lanes:
            lane.mkdir(parents=True)
            (lane / "evil.py").write_text("open('escaped', 'w')\n")
        self.enter(0)
        self.sources = self._whole_files()
        self.allowed = {self.root / "cache", *(lane / name for lane in lanes for name in ("out", "in", "runs"))}
        self.before = self._tree()

    def enter(self, lane: int) -> None:
        """Work in one of the folders: a worker has one of its own."""
        self.work = self.root / "some" / "where" / f"deep{lane}"
        os.chdir(self.work)

    def _whole_files(self) -> list[Source]:
        from tests.conftest import noise_images

        whole = self.root / "whole"
        data, domains = noise_images(whole / "data", 4), whole / "domains"
        for name in "AB":
            noise_images(domains / name, 4, (16, 16))
        pictures = mutants.images()
        made = mutants.checkpoints(whole / "runs", lambda words: self.call(words)[0], data, domains)
        for source in made:
            (whole / source.name).write_bytes(source.content)
        return [*pictures, *mutants.archives(pictures), *mutants.arrays(), *mutants.pickles(), *made]

    def _tree(self) -> set[Path]:
        found, todo = set(), [self.root]
        while todo:
            for path in todo.pop().iterdir():
                if path in self.allowed:
                    continue
                found.add(path)
                if path.is_dir():
                    todo.append(path)
        return found

    def call(self, words: list[Any]) -> tuple[int, str]:
        """Run a command here; its exit code, and what it said on stderr."""
        err = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            return cli.run([str(word) for word in words]), err.getvalue()

    def one(self, number: int) -> Told:
        """Make a mutant and feed it to a command."""
        dice = random.Random(f"{self.seed} {number}")
        kind = dice.choice(["checkpoint", "checkpoint", "image", "image", "archive", "array", "pth", "run"])
        source = dice.choice([s for s in self.sources if s.kind == kind])
        for name in ("in", "out", "runs"):
            shutil.rmtree(self.work / name, ignore_errors=True)
            (self.work / name).mkdir()
        path = self.work / "in" / source.name
        path.write_bytes(mutants.mutant(source, dice))
        words = self._command(source, path, dice)
        start = time.process_time()
        try:
            code, err = self.call(words)
        except Exception:
            return Told(kind, str(words[0]), 1, time.process_time() - start, traceback.format_exc())
        seconds = time.process_time() - start
        return Told(kind, str(words[0]), code, seconds, self._wrong(words, code, err, seconds))

    def _wrong(self, words: list[Any], code: int, err: str, seconds: float) -> str:
        if code not in (0, 2) or (code == 2 and not (err.startswith("gancli: ") and len(err.splitlines()) == 1)):
            return f"{words}: exit code {code}, said {err!r}"
        if new := self._tree() ^ self.before:
            return f"{words}: changed {new}"
        return f"{words}: computed for {seconds:.0f} s" if seconds > SECONDS else ""

    def _command(self, source: Source, path: Path, dice: random.Random) -> list[Any]:
        whole = self.root / "whole"
        if source.kind == "checkpoint":
            picture = dice.choice(["data/000.png", "domains/A/000.png"])
            return dice.choice(
                [
                    ["info", path],
                    ["info", path, "--json"],
                    ["sample", path, "-n", 2, "--out", dice.choice(["out/x.png", "out/x.npz", "out"])],
                    ["translate", path, whole / picture, "--out", "out/x.png"],
                    ["translate", path, whole / picture, "--out", "out/x.png", "--mask", "2,2,4,4"],
                    [*TRAIN, "--data", whole / "data", "--out", self._run_with(path), "--resume"],
                ]
            )
        if source.kind == "image":
            return dice.choice(
                [
                    ["info", path],
                    ["translate", whole / "cyclegan.safetensors", path, "--out", f"out/x{path.suffix}"],
                    ["sample", "--like", path],
                    [*TRAIN, "--data", "in"],
                    ["interpolate", whole / "vae.safetensors", "--images", path, path, "--out", "out/x.png"],
                ]
            )
        if source.kind == "pth":
            return dice.choice([["info", path], ["import", path, "--as", "x"], ["sample", path]])
        if source.kind == "run":
            folder = self._run_with(path)
            return dice.choice([["info", folder], [*TRAIN, "--data", whole / "data", "--out", folder, "--resume"]])
        return dice.choice([["info", path], [*TRAIN, "--data", path], [*TRAIN, "--data", "in"]])

    def _run_with(self, path: Path) -> Path:
        """A run's folder, one of whose files is the mutant."""
        folder = self.work / "out" / "run"
        shutil.copytree(self.root / "whole" / "runs" / "gan", folder)
        place = (
            folder / "checkpoints" / "000000008.safetensors" if path.suffix == ".safetensors" else folder / path.name
        )
        shutil.copy(path, place)
        return folder

    def part(self, first: int, last: int, writer: int) -> None:
        """Be a worker: a line a mutant."""
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        for number in range(first, last):
            signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)  # of computing; its signal ends the process
            faulthandler.dump_traceback_later(WAITING, exit=True)  # of waiting for something
            told = self.one(number)
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before > GROWTH:
                told = told._replace(wrong=told.wrong or f"{told.command}: memory grew by more than {GROWTH:,} bytes")
            os.write(writer, (repr(tuple(told)) + "\n").encode())
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


def main(count: int = 20_000, seed: int = 0) -> int:
    """Feed them all, print what came of it, and return how many went wrong."""
    fuzzer, start = Fuzzer(seed), time.monotonic()
    told: list[Told] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to stop: report what was done
    try:
        while len(told) < count:
            places = [min(len(told) + PART * lane, count) for lane in range(LANES + 1)]
            workers = [_start(fuzzer, lane, places[lane], places[lane + 1]) for lane in range(LANES)]
            for worker in workers:
                told += _end(*worker)
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    finally:
        os.chdir("/")
        shutil.rmtree(fuzzer.root, ignore_errors=True)
    report(told, fuzzer.sources, time.monotonic() - start)
    return sum(1 for t in told if t.wrong)


def _start(fuzzer: Fuzzer, lane: int, first: int, last: int) -> tuple[int, int, int, int]:
    reader, writer = os.pipe()
    if (process := os.fork()) == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reader)
        fuzzer.enter(lane)
        fuzzer.part(first, last, writer)
        os._exit(0)
    os.close(writer)
    return process, reader, first, last


def _end(process: int, reader: int, first: int, last: int) -> list[Told]:
    with os.fdopen(reader) as lines:
        told = [Told(*ast.literal_eval(line)) for line in lines]
    _, status = os.waitpid(process, 0)
    if len(told) < last - first:
        number = first + len(told)
        told.append(Told("?", "?", 1, 0, f"mutant {number}: worker died, {os.waitstatus_to_exitcode(status)}"))
    for i, t in enumerate(told):
        if t.wrong:
            print(f"mutant {first + i} ({t.kind}): {t.wrong}", file=sys.stderr, flush=True)
    return told


def report(told: list[Told], sources: list[Source], seconds: float) -> None:
    print("| mutants of | whole files | mutants | read (exit 0) | refused (exit 2) | wrong | slowest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in [*sorted({s.kind for s in sources}), "all"]:
        mine = [t for t in told if kind in (t.kind, "all")]
        codes, slowest = Counter(t.code for t in mine if not t.wrong), max((t.seconds for t in mine), default=0)
        files = sum(1 for s in sources if kind in (s.kind, "all"))
        wrong = sum(1 for t in mine if t.wrong)
        print(f"| {kind} | {files} | {len(mine):,} | {codes[0]:,} | {codes[2]:,} | {wrong} | {slowest:.1f} s |")
    commands = Counter(t.command for t in told)
    said = ", ".join(f"{name} {count:,}" for name, count in commands.most_common())
    print(f"\nby command: {said}; {seconds:.0f} s; files: {', '.join(s.name for s in sources)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        print(Fuzzer(int((sys.argv[3:4] or ["0"])[0])).one(int(sys.argv[2])))
    else:
        sys.exit(min(main(*(int(word) for word in sys.argv[1:])), 1))
