"""Each process's share of the batches of a run; on a GPU the next batch loads during the current training step."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic

import torch
from torch import Tensor

from gancli.data.dataset import B_co, Dataset
from gancli.system import dist


@dataclass(frozen=True)
class Feed(Generic[B_co]):
    """This process's share of every batch of a run."""

    dataset: Dataset[B_co]
    batch: int  # over all processes
    seed: int
    device: torch.device

    def at(self, images: int) -> B_co:
        """Return the batch that follows after `images` images."""
        share = self.batch // dist.world()
        return self.dataset.at(self.seed, images + dist.rank() * share, share, self.device)

    def first(self, n: int) -> B_co:
        """Return the first `n` rows in the order of the run, the same on every process."""
        return self.dataset.at(self.seed, 0, min(n, len(self.dataset)), self.device)


Fetch = Callable[[int], Any]  # images seen -> the next batch


class Ahead:
    """Return what `fetch` returns, and prefetch the next result in a thread."""

    def __init__(self, fetch: Fetch, step: int) -> None:
        self._fetch, self._step = fetch, step
        self._pool = ThreadPoolExecutor(1, "ahead")
        self._next: tuple[int, Future[Any]] | None = None

    def at(self, place: int) -> Any:
        """Return the result for a place, and start fetching the next one."""
        if self._next is None or self._next[0] != place:
            self._next = place, self._pool.submit(self._fetch, place)
        found = self._next[1].result()
        self._next = place + self._step, self._pool.submit(self._fetch, place + self._step)
        return found


class AheadFeed(Feed[Any]):
    """A feed whose rows are in host memory or on disk, and whose batches go to a GPU."""

    def __init__(self, dataset: Dataset[Any], batch: int, seed: int, device: torch.device) -> None:
        super().__init__(dataset, batch, seed, device)
        cuda = self.device.type == "cuda"
        stream = torch.cuda.Stream(self.device) if cuda else None
        vars(self).update(_stream=stream, _ahead=Ahead(self._fetch, self.batch))  # a feed is frozen

    def at(self, images: int) -> Any:
        """Return the batch that follows after `images` images."""
        batch, copied = vars(self)["_ahead"].at(images)
        if copied is not None:
            now = torch.cuda.current_stream(self.device)
            now.wait_event(copied)
            batch.map(lambda t: _used_on(t, now))
        return batch

    def _fetch(self, images: int) -> tuple[Any, Any]:
        """Return a batch, and the event that marks the end of its copy."""
        stream = vars(self)["_stream"]
        with torch.cuda.stream(stream) if stream else nullcontext():
            batch = super().at(images)
            return batch, stream.record_event() if stream else None


def _used_on(tensor: Tensor, stream: Any) -> Tensor:
    tensor.record_stream(stream)  # so that the allocator does not reuse its memory before that stream has read it
    return tensor


def feed_for(dataset: Dataset[Any], batch: int, seed: int, device: torch.device) -> Feed[Any]:
    """Return the feed for where the rows are; data sets that make part of a batch may use random numbers in order."""
    elsewhere = any(column.device != device for column in dataset.columns.values())
    return (AheadFeed if elsewhere and not dataset.make else Feed)(dataset, batch, seed, device)
