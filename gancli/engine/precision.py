"""Choose the precision of a run. On a CPU both are timed once per machine and shape of networks."""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta

import gancli
from gancli.engine import rates
from gancli.engine.rates import BF16, FP32, PRECISIONS, Rates
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.system import atomic, cache, dist
from gancli.system.devices import has_bf16
from gancli.system.seeds import aside
from gancli.system.untrusted.door import read_json

MARGIN = 1.1  # bf16 must be this many times as fast: fp32 is safer, and timings are inexact
KNOWN_BY = ("vendor_id", "cpu family", "model", "model name", "flags", "CPU implementer", "CPU part", "Features")


@dataclass(frozen=True)
class Choice:
    """A precision and why it was chosen."""

    precision: str
    why: str

    def __str__(self) -> str:
        return f"{self.precision}: {self.why}"


Part = Callable[[int], Any]  # builds a micro-batch of a given number of rows


def choose(asked: str, before: str | None, gan: GAN[Any], rows: int, part: Part) -> Choice:
    """Return the requested precision, else that of the resumed run (`before`), else the faster; rank 0 decides.

    `rows` is the number of rows of a micro-batch on one process.
    """
    if asked != "auto":
        return Choice(asked, "as given")
    return dist.gathered(_chosen(before, gan, rows, part) if dist.rank() == 0 else None)[0]


def of_accelerator(asked: str, device: torch.device) -> str:
    """Return the requested precision, or bf16 if the accelerator supports it natively.

    Nothing is timed: on tensor cores bf16 is at least as fast as fp32, and a step too small to gain from it spends its
    time on kernel launches, which are the same in both and become one CUDA graph.
    """
    if asked != "auto":
        return asked
    return BF16 if has_bf16(device) else FP32


def faster(found: Rates) -> Choice:
    """Choose bf16 if it is faster by the margin."""
    if not found:
        return Choice(FP32, "no layers to measure")
    chosen = BF16 if found[BF16] > MARGIN * found[FP32] else FP32
    other = FP32 if chosen == BF16 else BF16
    return Choice(chosen, f"measured {_said(found[chosen])} GFLOP/s, {other} {_said(found[other])}")


def _said(rate: float) -> str:
    return f"{rate / 1e9:,.0f}" if rate >= 1e10 else f"{rate / 1e9:.2g}"


def _chosen(before: str | None, gan: GAN[Any], rows: int, part: Part) -> Choice:
    if before in PRECISIONS:  # the other precision would make it a different run
        return Choice(str(before), "as in the resumed run")
    if gan.device.type != "cpu":
        precision = of_accelerator("auto", gan.device)
        return Choice(precision, "native on this device" if precision == BF16 else "this device has no native bf16")
    if not has_bf16(gan.device):
        return Choice(FP32, "this CPU has no native bf16")
    return faster(_measured(gan, rows, part))


# ----------------------------------------------------------------------------------------- cached measurements


@dataclass(frozen=True)
class _Kept:
    """The content of a file of rates."""

    fp32: Annotated[float, Meta(ge=1)]
    bf16: Annotated[float, Meta(ge=1)]


def _measured(gan: GAN[Any], rows: int, part: Part) -> Rates:
    """Return the speeds for these networks and micro-batch, from this machine's cache if it has them."""
    key = _key(gan, rows)
    file = cache.root() / "precision" / f"{sha256(key.encode()).hexdigest()[:32]}.json"
    if kept := _kept(file):
        return kept
    with aside("precision"):
        if not (most := rates.layers(gan, part(rows))):
            return {}
        found = rates.measure(gan, most)
    with suppress(OSError, UserError):  # otherwise it is measured again next time
        atomic.write_json(file, found)
    return found


def _kept(file: Path) -> Rates | None:
    """Read cached rates; return None if there are none or they are invalid."""
    try:
        return asdict(read_json(file, _Kept))
    except UserError:
        return None


def _key(gan: GAN[Any], rows: int) -> str:
    """Return everything that the rates depend on."""
    machine = _cpu(), torch.backends.cpu.get_cpu_capability(), os.environ.get("ONEDNN_MAX_CPU_ISA")
    image = gan.spec.channels, gan.spec.height, gan.spec.width
    shapes = [(name, tuple(weight.shape)) for name, weight in gan.named_parameters()]
    return repr((gancli.__version__, torch.__version__, machine, torch.get_num_threads(), image, rows, shapes))


@lru_cache(maxsize=1)
def _cpu() -> str:
    """Return the CPU's model and features: virtual machines give many models the same name."""
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        return repr([line for line in first.splitlines() if line.split(":")[0].strip() in KNOWN_BY])
    return f"{platform.machine()} {platform.processor()}"
