"""Floating-point operations: count those of a step, and measure the machine's peak per second."""

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from gancli.engine.step import Amp, parameters
from gancli.gan import GAN, Clock
from gancli.system.devices import wait_for

STEPS = 16  # to average over: some players do not move in every step
SECONDS = 0.5  # for each peak measurement


class Counter(TorchDispatchMode):
    """Count the operations of matrix products and convolutions, two for each multiply-add.

    torch's own counter overcounts gradients of grouped convolutions by the number of groups, and fails on double
    backward.
    """

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation and count it."""
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet is torch.ops.aten.convolution_backward:
            grad, x, weight, *_ = args
            asked = sum(args[-1][:2])  # for the gradients of x, of the weight, or of both
            self.total += asked * conv_flop_count(x.shape, weight.shape, grad.shape, transposed=args[7])
        elif formula := flop_registry.get(packet):
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def of_a_step(gan: GAN[Any], players: Mapping[str, Optimizer], batch: Any) -> float:
    """Count the operations of a step on meta tensors, without computing anything."""
    shadow = copy.deepcopy(gan).to("meta")
    batch = batch.map(lambda t: t.to("meta"))
    weights = dict(shadow.named_parameters())
    names = {parameter: name for name, parameter in gan.named_parameters()}
    moved = {who: [weights[names[p]] for p in parameters(player)] for who, player in players.items()}
    begin = gan.paces(0, 10**9)[-1].images
    with Counter() as counter:
        for step in range(STEPS):
            for turn in shadow.play(batch, Clock(step, begin + step * len(batch), 10**9)):
                loss = torch.stack([term.float() for term in turn.terms.values()]).sum()
                torch.autograd.grad(loss, moved[turn.player], allow_unused=True)
    return counter.total / STEPS


def peaks(device: torch.device, amp: Amp) -> dict[str, float]:
    """Measure the operations per second of large matrix products and convolutions on this device."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(2, n, n, device=device)
    x = torch.randn(n // 64, 256, 16, 16, device=device)
    weight = torch.randn(256, 256, 3, 3, device=device)
    work = {
        "matmul": (lambda: a @ b, 2 * n**3),
        "convolution": (
            lambda: torch.conv2d(x, weight, padding=1),
            conv_flop_count(list(x.shape), list(weight.shape), list(x.shape)),
        ),
    }
    with torch.no_grad(), amp():
        return {name: count * _rate(function, device) for name, (function, count) in work.items()}


def _rate(function: Callable[[], Tensor], device: torch.device) -> float:
    """Return calls per second in the fastest of several bursts; on a CPU, corrected for other programs' load."""
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    best, end = 0.0, time.perf_counter() + SECONDS
    while not best or time.perf_counter() < end:
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(4):
            function()
        wait_for(device)
        took = time.perf_counter() - began
        best = max(best, 4 / (min(took, (time.process_time() - worked) / threads) if device.type == "cpu" else took))
    return best
