"""Networks whose every weight says something, saved under other names, and imported again."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gancli.checkpoints.importers.convert import Built, to_gan
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.importers.reading.state_dict import read_state_dict

State = dict[str, Tensor]


def full(net: nn.Module) -> nn.Module:
    """Give all parameters and statistics of a network values, so that each of them says something."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.1 if tensor.dim() < 2 else torch.randn_like(tensor) / 4)
            if name.endswith(".rho"):
                tensor.clamp_(0, 1)
    return net.eval().requires_grad_(False)


def renamed(state: Mapping[str, Tensor], *patterns: tuple[str, str]) -> State:
    """Rename tensors by all patterns, one after the other."""
    found: State = {}
    for name, tensor in state.items():
        for old, new in patterns:
            name = re.sub(old, new, name)
        found[name] = tensor
    return found


def imported(held: Any, folder: Path, **asked: Any) -> Built:
    torch.save(held, folder / "theirs.pth")
    found = to_gan(read_state_dict(folder / "theirs.pth"), folder / "theirs.pth", Asked("x", **asked))
    return found._replace(gan=found.gan.eval().requires_grad_(False))


def alike(gan: Any, net: nn.Module, *inputs: Tensor) -> bool:
    found, expected = gan.G(*inputs), net(*inputs)
    assert found.shape == expected.shape
    assert expected.std() > 1e-3
    return bool((found - expected).abs().max() <= 1e-5 * expected.abs().max())
