"""Measure the operations per second of a game's heaviest layers in each precision."""

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gancli.gan import GAN, Clock

FP32, BF16 = PRECISIONS = ("fp32", "bf16")
MOST = 4  # layers to time: those with the most work
WORK = 1e9  # forward operations to time a layer on, in whole rows (at least one): about 10 ms
SECONDS, ROUNDS = 0.4, 5  # of timing and fewest rounds, after one uncounted call each
LIMIT = 3.0  # seconds after which fewer rounds are enough: the machine is slow or busy
HOPELESS = 4.0  # times slower in the first call: emulated bf16 is 5 to 30 times slower
PASSES = 3  # forward, input gradient and weight gradient, which cost the same

Rates = dict[str, float]  # operations per second, by precision
Seconds = Callable[[Callable[[], object]], float]  # duration of a call


@dataclass(frozen=True)
class Layer:
    """A layer and its use in a step."""

    name: str
    shape: tuple[int, ...]  # of its input, for a whole micro-batch
    calls: int  # of identical layers, in a step
    work: float  # operations of one call, forward


def layers(gan: GAN[Any], part: Any) -> list[Layer]:
    """Return the layers with the most work in a step, found by playing a micro-batch forward on a copy.

    Meta tensors are not used: they import the compiler, which takes seconds, and a plug-in may read values.
    """
    shadow = copy.deepcopy(gan).train()
    found: dict[tuple[Any, ...], Layer] = {}
    calls: Counter[tuple[Any, ...]] = Counter()

    def watch(name: str, module: nn.Module) -> None:
        def after(_: nn.Module, given: tuple[Tensor, ...], y: Tensor) -> None:
            shape = tuple(given[0].shape)
            like = type(module), tuple(module.weight.shape), getattr(module, "stride", None), shape  # pyright: ignore
            calls[like] += 1
            found.setdefault(like, Layer(name, shape, 0, _work(module, given[0], y)))

        module.register_forward_hook(after)

    for name, module in _heavy(shadow):
        watch(name, module)
    with suppress(NotImplementedError):  # an inference-only plug-in has no step
        for _ in shadow.play(part, _AllDue(0, gan.paces(0, 10**9)[-1].images, 10**9)):
            pass
    counted = [Layer(at.name, at.shape, calls[like], at.work) for like, at in found.items()]
    return sorted(counted, key=lambda layer: -layer.calls * layer.work)[:MOST]


class _AllDue(Clock):
    """A step in which every player has its turn."""

    def every(self, n: int) -> bool:
        del n
        return True

    def opens(self, n: int) -> bool:
        del n
        return True


def _work(module: Any, x: Tensor, y: Tensor) -> float:
    """Return two operations per weight and position (`flops.Counter` would import the compiler)."""
    places = y if isinstance(module, nn.Conv2d) else x
    return 2 * module.weight.numel() * places.numel() / places.shape[-1 if isinstance(module, nn.Linear) else 1]


def _heavy(gan: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    return ((name, module) for name, module in gan.named_modules() if isinstance(module, kinds))


def measure(gan: GAN[Any], most: Sequence[Layer], seconds: Seconds | None = None) -> Rates:
    """Time layers forward and backward, alternating precisions, for some tenths of a second in total."""
    seconds = seconds or seconds_of
    calls = {(layer, precision): _call(gan, layer, precision) for layer in most for precision in PRECISIONS}
    first = {key: seconds(call) for key, call in calls.items()}
    if _rate(first, FP32) > HOPELESS * _rate(first, BF16):
        return {precision: _rate(first, precision) for precision in PRECISIONS}
    took: dict[tuple[Layer, str], list[float]] = {key: [] for key in calls}
    spent, rounds = 0.0, 0
    while spent < SECONDS or (rounds < ROUNDS and spent < LIMIT):
        for key, call in calls.items():
            took[key].append(seconds(call))
            spent += took[key][-1]
        rounds += 1
    least = {key: min(each) for key, each in took.items()}  # other load on the machine only adds time
    return {precision: _rate(least, precision) for precision in PRECISIONS}


def _rate(took: dict[tuple[Layer, str], float], precision: str) -> float:
    """Return the operations per second of a step with only these layers."""
    each = {layer: seconds for (layer, of), seconds in took.items() if of == precision}
    work = sum(layer.calls * layer.work for layer in each)
    return PASSES * work / sum(layer.calls * seconds / _share(layer) for layer, seconds in each.items())


def _share(layer: Layer) -> float:
    """Return the share of a micro-batch's rows that a layer is timed on."""
    rows = layer.shape[0]
    return max(1, min(rows, int(rows * WORK / layer.work))) / rows


def _call(gan: GAN[Any], layer: Layer, precision: str) -> Callable[[], object]:
    """Return a function that runs a copy of a layer forward and backward."""
    module = copy.deepcopy(gan.get_submodule(layer.name)).train()
    rows = round(layer.shape[0] * _share(layer))
    x = torch.randn(rows, *layer.shape[1:], device=gan.device)
    x = x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
    x = (x.bfloat16() if precision == BF16 else x).requires_grad_()  # the previous layer's output is in bf16
    moved = [x, *(p for p in module.parameters() if p.requires_grad)]

    def call() -> None:
        with torch.autocast(gan.device.type, torch.bfloat16) if precision == BF16 else nullcontext():
            y = module(x)
        torch.autograd.grad(y, moved, torch.ones_like(y))

    return call


def seconds_of(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
