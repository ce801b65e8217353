"""What befalls a process while it writes: it is killed at a moment of a write, or the system lets it write no more.

Each is arranged in a forked child, before its command runs.
"""

import errno
import os
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = 24  # of the runs that are struck
ENDLESS = 10**9

Blow = Callable[[random.Random, Path], None]  # given the folder that the command writes to


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


# --------------------------------------------------------------------------------------------------- kills


def killed(files: int, name: str = "") -> Blow:
    """Half-way through one of the first checkpoints, or around a call that puts it in place; of a name, if given."""

    def arrange(dice: random.Random, _folder: Path) -> None:
        call, countdown = dice.choice(["half", "fsync", "replace"]), Countdown(dice.randint(1, files))
        if call == "half":
            _killed_half_way(dice, countdown, name)
        else:
            _killed_around(call, countdown, name, before=dice.random() < 0.5)

    return arrange


def _killed_around(call: str, countdown: Countdown, name: str, *, before: bool) -> None:
    real = getattr(os, call)

    def struck(*arguments: Any, **options: Any) -> Any:
        now = _concerns(arguments[0], name) and countdown.due()
        if now and before:
            die()
        result = real(*arguments, **options)
        if now:
            die()
        return result

    setattr(os, call, struck)


def _concerns(file: Any, name: str) -> bool:
    """Tell whether a path, or an open file, has a name in it."""
    path = os.readlink(f"/proc/self/fd/{file}") if isinstance(file, int) and name else str(file)
    return name in path


def _killed_half_way(dice: random.Random, countdown: Countdown, name: str) -> None:
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
    """While images are decoded into their place, which is allocated and partly filled, or at a moment of sealing it."""
    from gancli.data.sources import decode as pictures
    from gancli.images.reading import to_array

    calls = {"decode": 12, "posix_fallocate": 1, "fsync": 4, "rename": 1, "replace": 1}  # of each there are so many
    call = dice.choice(list(calls))
    countdown = Countdown(dice.randint(1, calls[call]))
    if call != "decode":  # the cache is what is written first
        return _killed_around(call, countdown, "", before=dice.random() < 0.5)
    real = to_array

    def decode(*arguments: Any) -> Any:
        if countdown.due():
            die()
        return real(*arguments)

    pictures.to_array = decode
    return None


# ------------------------------------------------------------------------------------ a system that says no


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
        if self.state.clock.step == first:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return play(self)

    Training.step = step  # type: ignore[method-assign]


def full_disk(dice: random.Random, folder: Path) -> None:
    """The run's file system, a tmpfs, is filled at a random moment; half of the times, not for long."""
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
