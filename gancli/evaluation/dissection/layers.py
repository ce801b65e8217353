"""The feature maps of a generator: finding, recording and changing them, by forward hooks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gancli.capabilities import Samples
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.system.untrusted.door import printable

AUTO = "auto"
MOST_NAMES = 1000  # characters of names in one message

Change = Callable[[Tensor], Tensor]  # of feature maps (N, U, H, W)


@dataclass(frozen=True)
class FeatureMaps:
    """A module whose output is one feature map (H, W) per unit."""

    name: str  # as in the state dict
    units: int
    height: int
    width: int


@torch.no_grad()
def feature_maps(gan: GAN[Any], z: Tensor) -> list[FeatureMaps]:
    """List the layers with feature maps, in the order in which they run on latents (N, Z), N > 1.

    A module that runs more than once is left out, and so are images and maps that do not cover exactly the image, such
    as those with a margin.
    """
    seen: dict[str, list[Tensor]] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _layer, _given, out: seen.setdefault(name, []).append(out) if _is_maps(out, len(z)) else None

    handles = [layer.register_forward_hook(watch(name)) for name, layer in gan.named_modules() if name]
    try:
        _generate(gan, z)
    finally:
        for handle in handles:
            handle.remove()
    once = {name: outs[0].shape[1:] for name, outs in seen.items() if len(outs) == 1}
    return [
        FeatureMaps(name, *shape)
        for name, shape in once.items()
        if shape[0] > gan.spec.channels and _covers(gan, shape)
    ]


def _generate(gan: Any, z: Tensor) -> Tensor:
    assert isinstance(gan, Samples)
    return gan.generate(z.to(gan.device))  # pyright: ignore[reportAttributeAccessIssue]


def _is_maps(out: Any, n: int) -> bool:
    return isinstance(out, Tensor) and out.dim() == 4 and len(out) == n and out.shape[2] * out.shape[3] > 1


def _covers(gan: GAN[Any], shape: torch.Size) -> bool:
    """Return whether both sides of maps fit the image's sides by one whole factor."""
    _, height, width = shape
    tall, wide = gan.spec.height, gan.spec.width
    finer = height % tall == 0 and width % wide == 0
    return (finer or (tall % height == 0 and wide % width == 0)) and height * wide == width * tall


def choose(layers: list[FeatureMaps], names: str, model: str, side: int) -> list[FeatureMaps]:
    """Return the layers with these comma-separated names; `auto`: the last ones of each size in the middle.

    Middle sizes are those between the coarsest and that of the image, `side` pixels high. Raise UserError for names
    that are unknown, and for a model without feature maps.
    """
    if not layers:
        raise UserError(f"--dissect: {model} has no feature maps that cover the image, so it cannot be dissected")
    if names == AUTO:
        # of whole blocks, not of the branches in them: those miss what the other branch says
        last = {layer.height: layer for layer in sorted(layers, key=lambda layer: -layer.name.count("."))}
        return [last[size] for size in sorted(last) if min(last) < size < side] or list(last.values())
    known = {layer.name: layer for layer in layers}
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in wanted:
        if name not in known:
            listed = printable(", ".join(known), MOST_NAMES)
            raise UserError(
                f"--layers {names}: {model} has no feature maps '{printable(name)}'; give {AUTO}, or of {listed}"
            )
    return [known[name] for name in wanted]


@contextmanager
def recorded(gan: GAN[Any], layers: list[FeatureMaps]) -> Iterator[dict[str, Tensor]]:
    """Collect the outputs of layers (N, U, H, W) by name while a model generates."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        # a copy: the next layer may work in place
        return lambda _layer, _given, out: found.update([(name, out.detach().clone().float())])

    handles = [gan.get_submodule(layer.name).register_forward_hook(keep(layer.name)) for layer in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def generated(gan: GAN[Any], z: Tensor, layer: FeatureMaps | None = None, change: Change | None = None) -> Tensor:
    """Generate images (N, C, H, W) in [-1, 1] from latents (N, Z), with changed outputs of one layer if given."""
    if layer is None or change is None:
        return _generate(gan, z)

    def replace(_layer: nn.Module, _given: Any, out: Tensor) -> Tensor:
        return change(out)

    handle = gan.get_submodule(layer.name).register_forward_hook(replace)
    try:
        return _generate(gan, z)
    finally:
        handle.remove()
