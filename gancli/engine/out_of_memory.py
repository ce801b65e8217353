"""Recover when a step runs out of memory."""

import gc
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gancli.gan import Clock
from gancli.system import dist

Play = Callable[..., dict[str, Tensor]]


def too_small(error: RuntimeError) -> bool:
    """Return whether an error means that the accelerator or the machine is out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


class HalveOnOutOfMemory:
    """Play steps; the first time memory runs out, halve every micro-batch from then on.

    The step starts again, so a player that had already moved moves twice on this batch. With several processes the
    error is raised: those with enough memory would wait forever for the one without.
    """

    def __init__(self, play: Play, note: Callable[[str], None], apart: str = "", least: int = 1) -> None:
        self._play, self._note, self._least, self._halves = play, note, least, 1
        self._apart = f"; {apart}" if apart else ""  # the networks and terms that see only one micro-batch

    def __call__(self, parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> dict[str, Tensor]:
        """Play one step."""
        parts = [half for part in parts for half in part.split(self._halves)]
        try:
            return self._play(parts, clock, slower)
        except RuntimeError as error:
            if not too_small(error) or self._halves > 1 or not self._halvable(len(parts[0])):
                raise
        # outside the handler, whose traceback keeps the activations alive
        self._halves = 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._note(
            f"warning   out of memory in step {clock.step + 1}: each batch is now computed in {2 * len(parts)} "
            f"micro-batches; give --accumulate {2 * len(parts)} to start that way{self._apart}"
        )
        return self(parts, clock, slower)

    def _halvable(self, rows: int) -> bool:
        return dist.world() == 1 and rows % 2 == 0 and rows // 2 >= self._least
