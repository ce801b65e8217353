"""What the importers of StyleGANs and their kin share: widths, class names, and what files leave out."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gancli.checkpoints.importers.layout import Asked, Converted, State, count
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets.high_fidelity.mapping import Mapping
from gancli.nets.high_fidelity.stylegan import TAPS
from gancli.nets.layers.resampling.resample import fir

COARSEST = 4  # pixels a side
LARGEST = 4096
DRAWS, PART = 10_000, 1000  # latents whose styles are averaged, and how many at once
WHOLE = 40  # bits of the largest whole number of channels


def side_of(levels: int) -> int:
    """Return the pixels a side of the finest of so many resolutions; raise ValueError beyond what anyone trains."""
    side = COARSEST << (levels - 1) if 1 < levels < WHOLE else 0
    if not COARSEST < side <= LARGEST:
        raise ValueError(f"from 2 to {int(math.log2(LARGEST // COARSEST)) + 1} resolutions, not {levels}")
    return side


def class_names(embedding: Tensor | None, asked: Asked) -> tuple[str, ...]:
    """Return the names of the classes that an embedding (W, K) is of: those that were asked for, or numbers."""
    classes = 0 if embedding is None else embedding.shape[1]
    if asked.classes and len(asked.classes) != classes:
        raise UserError(f"--classes names {len(asked.classes)}, but the file has {classes or 'no'} classes")
    return asked.classes or tuple(map(str, range(classes)))


def averaged(tensors: State, spec: DataSpec) -> State:
    """Let the one mean style serve all classes."""
    mean, classes = tensors["mapping.w_avg"], len(spec.classes)
    return tensors | {"mapping.w_avg": mean.expand(classes, -1) if classes and mean.dim() == 1 else mean}


def wide(channels: Sequence[int]) -> dict[str, Any] | None:
    """Return the two hyperparameters that give each resolution, from the coarsest, its channels; None if none do."""
    most, sides = max(channels), [COARSEST << level for level in range(len(channels))]
    ends = [(c + 1) * side - 1 for c, side in zip(channels, sides) if c < most]
    base = roundest(max(c * side for c, side in zip(channels, sides)), min(ends, default=math.inf))
    fits = [min(most, base // side) for side in sides] == [*channels]
    return {"width": most, "channel_base": base} if fits else None


def roundest(low: float, high: float) -> int:
    """Return the whole number in an interval that the highest power of two divides; the lower end if there is none."""
    high = min(high, 2 * low)
    powers = (2**power for power in reversed(range(WHOLE)))
    return next((n for p in powers if (n := math.ceil(low / p) * p) <= high), math.ceil(low))


def listed(numbers: Sequence[int]) -> str:
    """Write numbers as a hyperparameter."""
    return ",".join(map(str, numbers))


def mapping_of(tensors: State) -> dict[str, int]:
    """Return the hyperparameters that tensors mapping.fc0.weight, … tell."""
    layers = count(tensors, r"mapping\.fc(\d+)\.weight")
    inputs = tensors["mapping.fc0.weight"].shape[1]
    embedded = tensors["mapping.embed.weight"].shape[0] if "mapping.embed.weight" in tensors else 0
    w_dim = tensors[f"mapping.fc{layers - 1}.weight"].shape[0]
    return {"z_dim": inputs - embedded, "w_dim": w_dim, "mapping": layers}


@torch.no_grad()
def mean_style(tensors: State) -> Tensor:
    """Return the mean of w (W,) over noise, as authors compute it whose files lack it; always the same."""
    told = mapping_of(tensors)
    net = Mapping(told["z_dim"], 0, told["w_dim"], told["mapping"])
    layers = {name.removeprefix("mapping."): tensor for name, tensor in tensors.items() if ".fc" in name}
    try:
        net.load_state_dict(layers | {"w_avg": torch.zeros(told["w_dim"])})
    except RuntimeError:
        raise ValueError("a mapping network whose layers fit together") from None
    generator = torch.Generator().manual_seed(0)
    parts = (torch.randn(PART, told["z_dim"], generator=generator) for _ in range(DRAWS // PART))
    return torch.stack([net(z).mean(0) for z in parts]).mean(0)


def fixed_noise(side: int) -> Tensor:
    """Return noise (side, side) for files whose authors sample it anew for every image; always the same."""
    return torch.randn(side, side, generator=torch.Generator().manual_seed(side))


def stylegan(tensors: State, level: int) -> Converted:
    """Complete a StyleGAN of a finest level whose tensors have gancli's names.

    The mean style is made, and noise: one image for both layers of a resolution.
    """
    side = side_of(level + 1)
    sizes = [COARSEST << at for at in range(level + 1)]
    blocks = [f"synthesis.blocks.{at}" for at in range(level + 1)]
    found = tensors | {"mapping.w_avg": mean_style(tensors)} | grown(level, "synthesis.")
    found |= {f"{block}.conv1.taps": fir(TAPS) for block in blocks[1:]}
    found |= {f"{b}.style{i}.noise_const": fixed_noise(size) for b, size in zip(blocks, sizes) for i in (1, 2)}
    channels = [len(found[f"{block}.style2.bias"]) for block in blocks]
    regular = wide(channels)
    variant, options = (
        ("stylegan", regular | {"grow": False}) if regular else ("stylegan-generator", {"widths": listed(channels)})
    )
    spec = DataSpec(len(found[f"synthesis.to_rgb.{level}.bias"]), side, side)
    return Converted(variant, mapping_of(found) | options, spec, {f"G.{name}": t for name, t in found.items()})


def grown(level: int, prefix: str) -> State:
    """Return the state of a network that has grown to its last level."""
    return {f"{prefix}level": torch.tensor(level), f"{prefix}alpha": torch.ones(())}
