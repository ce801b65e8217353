"""The batch size: given or measured, and split over processes."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch

from gancli.engine.choose import amp
from gancli.engine.precision import of_accelerator
from gancli.engine.step import play_step
from gancli.errors import UserError
from gancli.hparams import AUTO
from gancli.system import dist
from gancli.training.options import SetUp
from gancli.training.setup import Data, build_training, check_batch

MOST = 4096  # largest batch that auto chooses


def with_batch(data: Data, options: SetUp, before: Mapping[str, Any] | None = None) -> Data:
    """Choose the batch size if it is auto: that of the resumed run (hyperparameters `before`), or the largest fit.

    Raise UserError if the batch cannot be split evenly over processes and micro-batches, or leaves them too few images.
    """
    if data.hp.batch == AUTO:
        chosen = before["batch"] if before else _fitting_batch(data, options)
        data = dataclasses.replace(data, hp=dataclasses.replace(data.hp, batch=chosen))
    batch, parts, processes = data.hp.batch, options.accumulate, dist.world()
    if batch % (processes * parts):
        into = f"{processes} x {parts} micro-batches (processes x --accumulate)"
        raise UserError(f"--batch {batch} cannot be split evenly into {into}: give a multiple of {processes * parts}")
    check_batch(data.kind, batch, options)
    return data


def _fitting_batch(data: Data, options: SetUp) -> int:
    """Return the largest batch that fits on every process, times the number of processes and micro-batches."""
    if data.device.type != "cuda":
        raise UserError(f"--batch auto needs a GPU, but the device is {data.device}: give a number")

    context = amp(of_accelerator(options.precision, data.device), data.device)

    def fits(size: int) -> bool:
        trial = dataclasses.replace(data, hp=dataclasses.replace(data.hp, batch=size))
        try:
            state = build_training(trial, options.seed, total=10**12)
            rows = max(size, data.kind.least_batch)
            batch = data.dataset.at(options.seed, 0, rows, data.device)
            clock = dataclasses.replace(state.clock, images=state.gan.paces(0, 10**12)[-1].images)
            play_step(state.gan, state.players, [batch], clock, context)
            torch.cuda.synchronize()
        except torch.cuda.OutOfMemoryError:
            return False
        finally:
            torch.cuda.empty_cache()
        return True

    own = largest(fits, min(len(data.dataset), MOST))
    if not own:
        raise UserError(
            f"--batch auto: not even one image fits in the memory of {data.device}: give a smaller --size or --width"
        )
    return int(min(dist.gathered(own))) * dist.world() * options.accumulate


def largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest power of two up to `most` that fits; 0 if not even 1 fits."""
    size = 0
    while max(1, 2 * size) <= most and fits(max(1, 2 * size)):
        size = max(1, 2 * size)
    return size
