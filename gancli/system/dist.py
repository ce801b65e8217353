"""The collective operations that training needs; with one process they do nothing."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as td

from gancli.system import parts
from gancli.system.processes.watchdog import BEAT, PATIENCE, Watch, watch_all

_alone = False
_watch: Watch | None = None


def world() -> int:
    """Count the processes."""
    return td.get_world_size() if td.is_initialized() and not _alone else 1


def rank() -> int:
    """Return the rank of this process, from 0."""
    return td.get_rank() if td.is_initialized() else 0


def rows(draw: Callable[[int], Tensor], n: int) -> Tensor:
    """Draw noise for the whole batch and keep the `n` rows of this process and micro-batch.

    All processes share one seed per step, so together they draw the same noise as a single process.
    """
    if world() == 1 and parts.count() == 1:
        return draw(n)
    first = (rank() * parts.count() + parts.index()) * n
    return common(lambda: draw(n * parts.count() * world()))[first : first + n]


def common(draw: Callable[[], Tensor]) -> Tensor:
    """Draw random numbers that all rows of the batch share, such as positions that are equal in every image."""
    return parts.together(draw)


def mean_over_ranks(x: Tensor) -> Tensor:
    """Average a tensor that steers training over the processes; detached."""
    x = x.detach().clone()
    if world() > 1:
        _sum(x)
        x /= world()
    return x


def all_rows(x: Tensor) -> Tensor:
    """Concatenate the rows of all ranks, in the order of a single process's batch; detached."""
    if world() == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(world())]
    with _together():
        td.all_gather(parts, x.detach().contiguous())
    return torch.cat(parts)


def all_rows_with_gradient(x: Tensor) -> Tensor:
    """Concatenate the rows of all ranks, differentiably: each rank gets the gradients of all for its own rows."""
    if world() == 1:
        return x
    before, after = (x.new_zeros(ranks * len(x), *x.shape[1:]) for ranks in (rank(), world() - 1 - rank()))
    return sum_with_gradient(torch.cat([before, x, after]))


def mean_of_rows(x: Tensor) -> Tensor:
    """Average over the rows of all ranks, differentiably."""
    return sum_with_gradient(x.mean(0)) / world()


def deviation(x: Tensor) -> Tensor:
    """Return the standard deviation of all values of all ranks; detached."""
    if world() == 1:
        return x.detach().std()
    squares = (x.detach() - mean_over_ranks(x.mean())).square()
    return (mean_over_ranks(squares.mean()) * x.numel() * world() / (x.numel() * world() - 1)).sqrt()


def sum_with_gradient(x: Tensor) -> Tensor:
    """Sum over the processes, differentiably: the gradient is summed likewise."""
    return x if world() == 1 else _Sum.apply(x)  # pyright: ignore[reportReturnType]  apply is untyped


class _Sum(torch.autograd.Function):  # torch passes ctx by this name
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        _sum(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_with_gradient(gradients[0])


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes, in one flat all-reduce."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if world() == 1 or not gradients:
        return
    flat = torch.cat([g.flatten() for g in gradients])
    _sum(flat)
    flat /= world()
    parts = [part.view_as(g) for g, part in zip(gradients, flat.split([g.numel() for g in gradients]))]
    torch._foreach_copy_(gradients, parts)  # pyright: ignore[reportPrivateImportUsage]


def broadcast(tensors: Sequence[Tensor]) -> None:
    """Copy the tensors of rank 0 to every process."""
    if world() > 1:
        with _together():
            for tensor in tensors:
                td.broadcast(tensor.detach(), 0)


def wait() -> None:
    """Wait until every process has reached this point."""
    if world() > 1:
        with _together():
            td.barrier()


def gathered(value: Any) -> list[Any]:
    """Gather the values of all processes on every process, in the order of their ranks."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    with _together():
        td.all_gather_object(values, value)
    return values


def _sum(x: Tensor) -> None:
    with _together():
        td.all_reduce(x)


@contextmanager
def _together() -> Iterator[None]:
    """Run a collective operation. If a rank was lost, give the watchdog time to name it and end this process."""
    try:
        yield
    except RuntimeError:
        if _watch:
            time.sleep(PATIENCE * BEAT + 5)
        raise


@contextmanager
def joined() -> Iterator[None]:
    """Join the process group if torchrun started this process, and leave it at the end."""
    global _watch
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or td.is_initialized():
        yield
        return
    gpus, mine = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    if mine < gpus:
        torch.cuda.set_device(mine)
    with _stdout_elsewhere():
        td.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")  # with --device cpu, GPUs are left alone
    _watch = watch_all()
    try:
        yield
    except BaseException:
        _watch.stop(well=False)
        raise
    _watch.stop(well=True)
    _watch = None
    td.destroy_process_group()


@contextmanager
def _stdout_elsewhere() -> Iterator[None]:
    """Redirect stdout to stderr: gloo (in torch 2.9) prints its connections there, before our JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def alone() -> Iterator[None]:
    """Work as a single process in the block: random numbers are not split over the ranks."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before
