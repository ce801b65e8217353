"""Choose how steps run: in which precision, and eagerly, as CUDA graphs or with compiled loss terms."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.engine.compile import CompileWhenLong, compile_terms, uncompile
from gancli.engine.cuda_graphs import Cuda, Graphs
from gancli.engine.step import Amp, play_step
from gancli.gan import GAN, Clock
from gancli.system.devices import wait_for


def stepper(
    gan: GAN[Any], players: Mapping[str, Optimizer], context: Amp, compile: str, graph: str, note: Callable[[str], None]
) -> Callable[..., dict[str, Tensor]]:
    """Return the function that plays steps: eagerly, as CUDA graphs or with compiled loss terms."""

    def eagerly(parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> dict[str, Tensor]:
        return play_step(gan, players, parts, clock, context, slower)

    cuda = gan.device.type == "cuda"
    graphs = Graphs(gan, players, context, Cuda(gan.device), note) if cuda and graph == "auto" else None
    play = graphs or eagerly

    def begin() -> Callable[[], object]:
        made = compile_terms(gan, players, note)
        forget()
        return lambda: (uncompile(gan, made), forget())

    def forget() -> None:
        if graphs:
            graphs.forget()

    def now() -> float:
        wait_for(gan.device)
        return time.monotonic()

    if compile == "on":
        begin()
    return CompileWhenLong(play, begin, now, note) if cuda and compile == "auto" else play


def amp(precision: str, device: torch.device) -> Callable[[], Any]:
    """Return the autocast context in which turns are played."""
    return nullcontext if precision == "fp32" else lambda: torch.autocast(device.type, torch.bfloat16)
