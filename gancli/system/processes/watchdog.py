"""Stop all ranks when one dies or hangs, because the others would wait for it forever.

Each process increments a counter in torch.distributed's store once a second, and checks the counter of the next rank.
If that one stands still while it looks a dozen times, the process tells all ranks, and all of them exit. It counts its
own looks and not the seconds, so a pause of all processes is no loss.
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
PATIENCE = 12  # looks, one each BEAT, at a process without a new beat, after which it counts as lost
POLLS = 20  # in a BEAT, while the last process waits for the others
LOST, DONE = "gancli/lost", "gancli/done"


class Store(Protocol):
    """The methods of a torch.distributed store that are used here."""

    def add(self, key: str, amount: int, /) -> int:
        """Add to a number, which starts at 0, and return it."""
        ...


class Watch:
    """Send heartbeats and watch the next rank."""

    def __init__(self, store: Store, rank: int, world: int, *, beat: float = BEAT, patience: int = PATIENCE) -> None:
        self._store, self._rank, self._world = store, rank, world
        self._beat, self._patience = beat, patience
        self._next = (rank + 1) % world
        self._seen, self._missed = -1, 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> "Watch":
        """Watch in a thread; when a rank is lost, end this process with a line that names it."""
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stopped.wait(self._beat):
            try:
                lost = self.look()
            except RuntimeError:  # the store is gone, so rank 0, which hosts it, was lost
                lost = 0
            if lost is not None and not self._stopped.is_set():
                end(lost, self._world)

    def look(self) -> int | None:
        """Send a heartbeat, and return the rank of a lost process, if any."""
        self._store.add(f"gancli/beat/{self._rank}", 1)
        beats = self._store.add(f"gancli/beat/{self._next}", 0)
        self._seen, self._missed = beats, self._missed + 1 if beats == self._seen else 0
        if self._missed > self._patience and not self._store.add(f"{DONE}/{self._next}", 0):
            return self._tell(self._next)
        told = self._store.add(LOST, 0)
        return told - 1 if told else None

    def _tell(self, lost: int) -> int:
        """Tell all ranks which one was lost, and return the rank that was reported first."""
        told = self._store.add(LOST, 0)
        return told - 1 if told else self._store.add(LOST, lost + 1) - 1

    def stop(self, *, well: bool) -> None:
        """Stop watching. If all went well, tell the others; if not, they must notice the missing heartbeat."""
        self._stopped.set()
        self._thread.join(2 * self._beat)
        if well:
            with suppress(RuntimeError):  # rank 0 has finished too, and the store with it
                self._store.add(f"{DONE}/{self._rank}", 1)
                if self._rank == 0:
                    self._leave_last()

    def _leave_last(self) -> None:
        """Wait for the other ranks: this one hosts the store, and without it they would take this rank for lost."""
        seen, missed = -1, 0
        while waiting := [rank for rank in range(1, self._world) if not self._store.add(f"{DONE}/{rank}", 0)]:
            beats = sum(self._store.add(f"gancli/beat/{rank}", 0) for rank in waiting)
            seen, missed = beats, missed + 1 if beats == seen else 0
            if missed > self._patience * POLLS:
                return
            time.sleep(self._beat / POLLS)


def end(lost: int, world: int) -> None:
    """Exit at once: the main thread may wait for the lost rank in a call that cannot be interrupted."""
    text = f"rank {lost} of {world} died or hung; stopping all ranks. Continue with --resume"
    warn(text)
    sys.stderr.flush()
    os._exit(1)


def watch_all() -> Watch:
    """Start watching the processes of the group."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # a separate connection: the group's may be blocked
    store = td.TCPStore(  # pyright: ignore[reportPrivateImportUsage]
        address, port, is_master=False, wait_for_workers=False
    )
    return Watch(store, td.get_rank(), td.get_world_size()).start()
