"""Which device a command runs on, and in which precision it computes there."""

import torch

from gancli.errors import UserError


def choose_device(name: str) -> torch.device:
    """Take the device that was asked for, or the best there is; raises UserError for one that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, present in there.items() if present)
    if not there.get(name):
        raise UserError(f"--device {name}: this machine has {', '.join(d for d, p in there.items() if p)}")
    return torch.device(name, torch.cuda.current_device()) if name == "cuda" else torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """Take the precision that was asked for, or bf16 where the device computes in it natively."""
    if name != "auto":
        return name
    return "bf16" if has_bf16(device) else "fp32"


def has_bf16(device: torch.device) -> bool:
    """Say whether a device computes in bf16 natively; where it does not, bf16 is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device.type == "cpu" and native()
