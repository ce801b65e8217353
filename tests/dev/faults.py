"""Faults for a process that writes: it is killed during a write, or its system calls fail.

Each fault is set up in a forked child before its command runs.
"""

import errno
import os
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = 24  # of each training run
ENDLESS = 10**9

Fault = Callable[[random.Random, Path], None]  # gets the folder that the command writes to


def nothing(_dice: random.Random, _folder: Path) -> None: ...


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """A counter that is due once, after some calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def due(self) -> bool:
        self.left -= 1
        return self.left == 0


# --------------------------------------------------------------------------------------------------- kills


def killed(files: int, name: str = "") -> Fault:
    """Kill the process halfway through a checkpoint (of this name, if given), or around a call that completes it."""

    def set_up(dice: random.Random, _folder: Path) -> None:
        call, countdown = dice.choice(["half", "fsync", "replace"]), Countdown(dice.randint(1, files))
        if call == "half":
            _killed_halfway(dice, countdown, name)
        else:
            _killed_around(call, countdown, name, before=dice.random() < 0.5)

    return set_up


def _killed_around(call: str, countdown: Countdown, name: str, *, before: bool) -> None:
    real = getattr(os, call)

    def deadly(*arguments: Any, **options: Any) -> Any:
        now = _concerns(arguments[0], name) and countdown.due()
        if now and before:
            die()
        result = real(*arguments, **options)
        if now:
            die()
        return result

    setattr(os, call, deadly)


def _concerns(file: Any, name: str) -> bool:
    """Return whether the path of a file, given as a path or a descriptor, contains a name."""
    path = os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) and name else str(file)
    return name in path


def _killed_halfway(dice: random.Random, countdown: Countdown, name: str) -> None:
    from gancli.checkpoints import checkpoint

    write = checkpoint.save_file

    def half(tensors: Any, path: Path, **options: Any) -> None:
        now = _concerns(path, name) and countdown.due()
        write(tensors, path, **options)
        if now:
            os.truncate(path, dice.randrange(path.stat().st_size))
            die()

    checkpoint.save_file = half  # type: ignore[assignment]


def killed_in_a_cache_write(dice: random.Random, _folder: Path) -> None:
    """Kill the process while it decodes images into the cache, or while it seals the cache entry."""
    from gancli.data.sources import decode as pictures
    from gancli.images.reading import to_array

    calls = {"decode": 12, "posix_fallocate": 1, "fsync": 4, "rename": 1, "replace": 1}  # how often each is called
    call = dice.choice(list(calls))
    countdown = Countdown(dice.randint(1, calls[call]))
    if call != "decode":  # the cache is written before anything else
        return _killed_around(call, countdown, "", before=dice.random() < 0.5)
    real = to_array

    def decode(*arguments: Any) -> Any:
        if countdown.due():
            die()
        return real(*arguments)

    pictures.to_array = decode
    return None


# ------------------------------------------------------------------------------------ failing system calls


def failing(name: str) -> Fault:
    """Make a system call fail from a random moment on, for a while or forever."""

    def set_up(dice: random.Random, _folder: Path) -> None:
        real, first = getattr(os, name), dice.randrange(1, 60)
        last, count = first + dice.choice([1, 5, ENDLESS]), [0]
        code = dice.choice([errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])

        def call(*arguments: Any) -> Any:
            count[0] += 1
            if first <= count[0] < last:
                raise OSError(code, os.strerror(code))
            return real(*arguments)

        setattr(os, name, call)

    return set_up


def failing_write(dice: random.Random, _folder: Path) -> None:
    """Limit the size of files from a random moment on, so that a write stops in the middle."""
    from gancli.training.loop import Training

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    play, first, limit = Training.step, dice.randrange(STEPS), dice.randrange(500, 60_000)

    def step(self: Training) -> Any:
        if self.state.clock.step == first:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return play(self)

    Training.step = step  # type: ignore[method-assign]


def full_disk(dice: random.Random, folder: Path) -> None:
    """Fill the run's file system, a tmpfs, at a random moment; in half of the cases only for a short time."""
    from gancli.training.loop import Training

    play, first, lasts = Training.step, dice.randrange(STEPS), dice.choice([3, ENDLESS])

    def step(self: Training) -> Any:
        if self.state.clock.step == first:
            fill(folder.parent / "filler", dice.randrange(3000))
        if self.state.clock.step == first + lasts:
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
