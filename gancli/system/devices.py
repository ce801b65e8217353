"""Choose the device that a command runs on, and find out what it supports."""

import os
import platform
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch

from gancli.errors import UserError


def choose_device(name: str) -> torch.device:
    """Return the requested device, or the best available; raise UserError if it is not available."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, present in there.items() if present)
    if not there.get(name):
        raise UserError(
            f"--device {name} is not available: this machine has {', '.join(d for d, p in there.items() if p)}"
        )
    if name != "cuda":
        return torch.device(name)
    if int(os.environ.get("LOCAL_RANK", "0")) >= (gpus := torch.cuda.device_count()):
        raise UserError(
            f"torchrun started {os.environ.get('LOCAL_WORLD_SIZE', 'more')} processes on this machine, which has "
            f"{gpus} GPU{'s' * (gpus > 1)}: start at most that many, or give --device cpu"
        )
    return torch.device(name, torch.cuda.current_device())


def has_bf16(device: torch.device) -> bool:
    """Return whether torch has fast bf16 kernels on a device; the slow ones take 5 to 30 times as long as fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and known is not None and known()


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Compute float32 in full precision within a block: autocast would compute its matrix products in bf16."""
    known = device.type != "meta"  # which tests use; torch's own function of this cannot be compiled
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def machine(device: torch.device) -> dict[str, Any]:
    """Describe the machine: its processor and cores, threads or GPU, and its system."""
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    threads = {"threads": torch.get_num_threads()} if device.type == "cpu" else {}
    cores = {"processor": _processor(), "cores": os.cpu_count()}
    return {**gpu, **cores, **threads, "system": f"{platform.system()} {platform.machine()}"}


def _processor() -> str:
    """Return the name of the processor, which Linux tells in a file."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
