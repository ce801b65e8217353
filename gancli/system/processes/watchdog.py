"""Notice a rank that dies or hangs, for which the other ranks would otherwise wait for ever.

Each process counts up a number in the store that torch.distributed met over, once a second, and looks at the number of
the next process. One that finds it standing still says so to all, and all end.
"""

import os
import sys
import threading
import time
from contextlib import suppress
from typing import Protocol

from torch import distributed as td

from gancli.system.untrusted.terminal import warn

BEAT = 1.0  # seconds between beats
PATIENCE = 12.0  # seconds without a beat after which a process counts as lost
LOST, DONE = "gancli/lost", "gancli/done"


class Store(Protocol):
    """The part of a torch.distributed store that is used."""

    def add(self, key: str, amount: int, /) -> int:
        """Add to a number, which is 0 at first, and return it."""
        ...


class Watch:
    """Send heartbeats and watch the next rank."""

    def __init__(self, store: Store, rank: int, world: int, *, beat: float = BEAT, patience: float = PATIENCE) -> None:
        self._store, self._rank, self._world = store, rank, world
        self._beat, self._patience = beat, patience
        self._next = (rank + 1) % world
        self._seen, self._since = -1, time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> "Watch":
        """Watch from a thread of its own; when a process is lost, end this one with a line that names it."""
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stopped.wait(self._beat):
            try:
                lost = self.look()
            except RuntimeError:  # the store has gone, and with it the machine that the first process ran on
                lost = 0
            if lost is not None and not self._stopped.is_set():
                end(lost, self._world)

    def look(self) -> int | None:
        """Send a heartbeat, and return the rank of a lost process, if any."""
        self._store.add(f"gancli/beat/{self._rank}", 1)
        beats, now = self._store.add(f"gancli/beat/{self._next}", 0), time.monotonic()
        if beats != self._seen:
            self._seen, self._since = beats, now
        elif now - self._since > self._patience and not self._store.add(f"{DONE}/{self._next}", 0):
            return self._tell(self._next)
        told = self._store.add(LOST, 0)
        return told - 1 if told else None

    def _tell(self, lost: int) -> int:
        """Let all know, unless someone has told of another first."""
        told = self._store.add(LOST, 0)
        return told - 1 if told else self._store.add(LOST, lost + 1) - 1

    def stop(self, *, well: bool) -> None:
        """Watch no more, and say so if all went well; if not, the others must notice."""
        self._stopped.set()
        self._thread.join(2 * self._beat)
        if well:
            with suppress(RuntimeError):  # the first process has ended well too, and with it the store
                self._store.add(f"{DONE}/{self._rank}", 1)


def end(lost: int, world: int) -> None:
    """End this process at once: its main thread may wait for the lost one in a call that nothing can interrupt."""
    text = f"rank {lost} of {world} died or hung; stopping all ranks. Continue with --resume"
    warn(text)
    sys.stderr.flush()
    os._exit(1)


def watch_all() -> Watch:
    """Start watching over the processes of the group."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # a connection of its own: the group's may be busy waiting
    store = td.TCPStore(  # pyright: ignore[reportPrivateImportUsage]
        address, port, is_master=False, wait_for_workers=False
    )
    return Watch(store, td.get_rank(), td.get_world_size()).start()
