"""When the memory of the device is too small for a step."""

import gc
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gancli.gan import Clock
from gancli.system import dist

Play = Callable[..., dict[str, Tensor]]


def too_small(error: RuntimeError) -> bool:
    """Tell whether an error says that there is not enough memory, of the accelerator or of the machine."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


class HalveOnOutOfMemory:
    """Plays steps; when memory runs out, once, every part is computed in two halves from then on.

    The step is begun again: a player that had moved moves twice on this batch. Several processes do not do this, since
    those that have enough memory would wait for ever for the one that has not.
    """

    def __init__(self, play: Play, note: Callable[[str], None]) -> None:
        self._play, self._note, self._halves = play, note, 1

    def __call__(self, parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> dict[str, Tensor]:
        """Play one step."""
        parts = [half for part in parts for half in part.split(self._halves)]
        try:
            return self._play(parts, clock, slower)
        except RuntimeError as error:
            if not too_small(error) or self._halves > 1 or dist.world() > 1 or len(parts[0]) % 2:
                raise
        # out of the handler, whose traceback keeps the activations alive
        self._halves = 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._note(
            f"warning   out of memory in step {clock.step + 1}: from now on each batch is computed in "
            f"{2 * len(parts)} parts; --accumulate {2 * len(parts)} says so from the start"
        )
        return self(parts, clock, slower)
