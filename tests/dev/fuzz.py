"""Feed damaged files to the commands; check that none crashes, hangs, takes too much memory or writes elsewhere.

    python -m tests.dev.fuzz [MUTANTS] [SEED] [KIND]…

Each mutant is read by one command, which runs as from the command line; tests/dev/fuzz_commands.py chooses it. Kinds,
such as `weights pth`, limit the mutants to such files. Mutants run in forked workers, a hundred each. If a worker
crashes or hangs, its parent reports the number of the mutant; `python -m tests.dev.fuzz one NUMBER [SEED] [KIND]…`
repeats it.
"""

import contextlib
import functools
import io
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from gancli.cli import main as cli
from gancli.cli.main import run
from gancli.cli.variants import Variants
from gancli.images import curves
from tests.dev import fuzz_commands, whole_files
from tests.dev.fuzz_cases import Case
from tests.dev.fuzz_commands import SHARES
from tests.dev.fuzz_workers import LANES, Workers
from tests.dev.whole_files import Source

SECONDS, GROWTH, ADDRESSES = 10, 2 * 2**30, 12 * 2**30  # limits per mutant; a worker may not map more than ADDRESSES
MEMORY = Path("/dev/shm")  # a file system in memory, if there is one: fsync costs nothing
CURVES = 0.1  # share of the runs that plot curves, which takes longer than everything else in them
OWN = ("in", "out", "runs", "cache", "config")  # a mutant's folders; only `in` must not change
FETCHED = re.compile("^gancli: fetching", re.MULTILINE)  # no mutant may start a download


class Told(NamedTuple):
    """What a command did with a mutant."""

    kind: str
    command: str
    code: int
    seconds: float
    wrong: str  # empty if nothing is wrong


class Small:
    """A substitute for Inception, whose size does not matter here: it returns each channel's mean."""

    name, weights, precision, resize, batch = "inception", "0" * 64, "fp32", "none", 64
    inception, official = True, False

    def __call__(self, images: Any) -> tuple[Any, Any]:
        features = images.float().mean((2, 3)) / 255
        return features, features


class Fuzzer:
    """A folder with valid files, surrounded by folders that nothing may be written to."""

    def __init__(self, seed: int, kinds: Collection[str] = SHARES) -> None:
        self.seed, self.shares = seed, [kind for kind in SHARES if kind in kinds]
        self.root = Path(tempfile.mkdtemp(prefix="gancli-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
        self.whole, self.lanes = self.root / "whole", [self.root / "some/where" / f"deep{n}" for n in range(LANES)]
        self.save_curves = curves.save_curves
        cli.get_command = functools.cache(cli.get_command)  # commands are built only once
        Variants.get_command = functools.cache(Variants.get_command)
        os.environ |= {"HOME": str(self.root / "home"), "GANCLI_MIRROR": "http://127.0.0.1:9"}
        for lane in self.lanes:
            (lane / "tmp").mkdir(parents=True)
            (lane / "evil.py").write_text("open('escaped', 'w')\n")
        self.enter(0)
        self.sources = self._whole_files()
        texts = [s.content for s in self.sources if s.name.endswith((".json", ".jsonl")) or len(s.name) == 64]
        headers = [s.content for s in self.sources if s.kind == "checkpoint"]
        self.strays = [*texts, *(h[8 : 8 + int.from_bytes(h[:8], "little")] for h in headers), b"null", b"[]", b"{}"]

    def enter(self, lane: int) -> None:
        """Change to the folder of a lane: every worker has its own."""
        self.work = self.lanes[lane]
        tempfile.tempdir = str(self.work / "tmp")
        sys.path[:1] = [str(self.work)]  # so that evil.py could be imported
        os.chdir(self.work)
        self._use(self.root / "cache", self.root / "config")

    def _use(self, cache: Path, config: Path) -> None:
        """Set the user's cache and configuration folders for the next commands."""
        from gancli.system import cache as caching

        os.environ |= {"GANCLI_CACHE": str(cache), "XDG_CONFIG_HOME": str(config)}
        caching.root.cache_clear()
        if caching._spare.cache_info().currsize:  # used if the cache of a mutant was not writable
            shutil.rmtree(caching._spare(), ignore_errors=True)
            caching._spare.cache_clear()

    def _whole_files(self) -> list[Source]:
        from gancli.evaluation import evaluate
        from gancli.evaluation.extractors import extractor_table
        from tests.conftest import noise_images

        make = extractor_table.make_extractor
        evaluate.make_extractor = lambda *a, **o: make(*a, **o) if o["weights"] else Small()
        noise_images(self.whole / "data", 4)
        for name in "AB":
            noise_images(self.whole / "domains" / name, 4, (16, 16))
        pictures = whole_files.images()
        cached = whole_files.cached(self.whole, self._run, self.root / "cache")
        trusted = whole_files.trusted(self.whole, self._run, self.root / "config")
        made = whole_files.trained(self.whole, self._run)
        for source in made:
            (self.whole / source.name).write_bytes(source.content)
        drawn = whole_files.drawn(self.whole, self._run)
        held = [*whole_files.archives(pictures), *whole_files.arrays(), *whole_files.pickles(), *whole_files.weights()]
        held += whole_files.stats()
        return [*pictures, *held, *made, *drawn, *cached, *trusted, Source("special", "no file", b"")]

    def _run(self, words: list[Any]) -> int:
        return self.call(words)[0]

    def _tree(self) -> dict[str, tuple[int, ...]]:
        """Return modes, sizes and times of all paths except those that commands may write to."""
        allowed = {str(self.root / name) for name in ("cache", "config")}
        allowed |= {str(self.work / name) for name in OWN if name != "in"} | {str(lane) for lane in self.lanes}
        spare = str(self.work / "tmp" / "gancli-")  # a temporary cache of one process
        found, todo = dict[str, tuple[int, ...]](), [str(self.root), str(self.work)]
        while todo:
            for entry in os.scandir(todo.pop()):
                if entry.path in allowed or entry.path.startswith(spare):
                    continue
                about = entry.stat(follow_symlinks=False)
                folder = entry.is_dir(follow_symlinks=False)
                found[entry.path] = (about.st_mode,) if folder else (about.st_mode, about.st_size, about.st_mtime_ns)
                if folder:
                    todo.append(entry.path)
        return found

    def call(self, words: list[Any]) -> tuple[int, str, str]:
        """Run a command in this process; return its exit code, stdout and stderr."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(word) for word in words])
        return code, out.getvalue(), err.getvalue()

    def one(self, number: int) -> Told:
        """Create a mutant and run a command on it."""
        dice = random.Random(f"{self.seed} {number}")
        kind = dice.choice(self.shares)
        source = dice.choice([s for s in self.sources if s.kind == kind])
        for name in OWN:
            _empty(self.work / name)
        words = fuzz_commands.command(Case(source, self.whole, self.work, dice, self.strays))
        curves.save_curves = self.save_curves if dice.random() < CURVES else lambda *_: None
        own = {"cache": kind == "cache" or any((self.work / "cache").iterdir()), "config": kind == "trust"}
        self._use(*((self.work if own[name] else self.root) / name for name in ("cache", "config")))
        before, start = self._tree(), time.process_time()
        try:
            code, out, err = self.call(words)
        except Exception:
            return Told(kind, str(words[0]), 1, time.process_time() - start, f"{words}: {traceback.format_exc()}")
        seconds, changed = time.process_time() - start, self._tree().items() ^ before.items()
        wrong = _wrong(code, out, err, seconds) or (f"changed {changed}" if changed else "")
        return Told(kind, str(words[0]), code, seconds, f"{' '.join(map(str, words))}: {wrong}" if wrong else "")

    def limited(self, number: int) -> Told:
        """Do that with the limits of a worker on time and memory."""
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)  # CPU time; its signal ends the process
        told = self.one(number)
        signal.setitimer(signal.ITIMER_PROF, 0)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        return told if told.wrong or grown <= GROWTH else told._replace(wrong=f"memory grew by {grown:,} bytes")


def _empty(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not folder.is_symlink() and not any(folder.iterdir()):
            return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _wrong(code: int, out: str, err: str, seconds: float) -> str:
    """Return what is wrong with the result of a command; empty if nothing is."""
    lines = err.splitlines()
    refused = len(lines) == 1 and err.startswith("gancli: ")
    diverged = code == 3 and refused and "training diverged" in err  # valid weights, but not trained ones
    if (code not in (0, 2) and not diverged) or (
        code == 2 and not refused and not (out and not err)
    ):  # `check` prints faults on stdout
        return f"exit code {code}, stderr {err!r}"
    if obeyed := [line for line in (*out.split("\n"), *err.split("\n")) if not line.isprintable()]:
        return f"printed a control character: {obeyed[0]!r}"
    if FETCHED.search(err):
        return f"started a download: {err!r}"
    return f"computed for {seconds:.0f} s" if seconds > SECONDS else ""


def main(count: int = 20_000, seed: int = 0, kinds: Collection[str] = SHARES) -> int:
    """Run all mutants, print the results, and return how many were wrong."""
    fuzzer, start = Fuzzer(seed, kinds), time.monotonic()
    told: list[Told] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # if terminated, report the mutants so far
    workers = Workers(fuzzer.enter, lambda number: tuple(fuzzer.limited(number)))
    try:
        for number, done in workers.run(count):
            told.append(Told(*done) if isinstance(done, tuple) else Told("?", "?", 1, 0, done))
            if told[-1].wrong:
                print(f"mutant {number} ({told[-1].kind}): {told[-1].wrong}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped early", file=sys.stderr)
    finally:
        workers.end()
        os.chdir("/")
        shutil.rmtree(fuzzer.root, ignore_errors=True)
    report(told, [source for source in fuzzer.sources if source.kind in kinds], time.monotonic() - start)
    return sum(1 for t in told if t.wrong)


def report(told: list[Told], sources: list[Source], seconds: float) -> None:
    print("| mutants of | valid files | mutants | read (exit 0) | refused (exit 2) | wrong | slowest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in [*sorted({s.kind for s in sources}), "all"]:
        mine = [t for t in told if kind in (t.kind, "all")]
        codes, slowest = Counter(t.code for t in mine if not t.wrong), max((t.seconds for t in mine), default=0)
        files = sum(1 for s in sources if kind in (s.kind, "all"))
        wrong = sum(1 for t in mine if t.wrong)
        print(f"| {kind} | {files} | {len(mine):,} | {codes[0]:,} | {codes[2]:,} | {wrong} | {slowest:.1f} s |")
    said = ", ".join(f"{name} {count:,}" for name, count in Counter(t.command for t in told).most_common())
    print(f"\nby command: {said}; {seconds:.0f} s; files: {', '.join(s.name for s in sources)}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    chosen = [word for word in sys.argv[1:] if word in SHARES] or SHARES
    if sys.argv[1:2] == ["one"]:
        fuzzer = Fuzzer((numbers[1:] or [0])[0], chosen)
        print(fuzzer.one(numbers[0]), file=sys.stderr)
        print(f"its files are in {fuzzer.work}")
    else:
        sys.exit(min(main(*numbers, kinds=chosen), 1))
