"""BigGAN-deep in the layout of huggingface/pytorch-pretrained-BigGAN, with the config file that lies beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from gancli.checkpoints.importers.layout import Asked, Converted, State, count, renamed, without
from gancli.checkpoints.importers.reading import spectral
from gancli.checkpoints.importers.residual import network
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.system.untrusted.door import read_json

KNOWN_BY = "pytorch-pretrained-BigGAN (embeddings, generator.gen_z, generator.layers.0.bn_0.scale, …)"
WEIGHTS, CONFIG = "pytorch_model", "config.json"  # the ends of the published names
COLOURS = 3
NAMES = (
    (r"embeddings\.weight", "codes.embed.weight"),
    (r"generator\.gen_z\.(.*)", r"linear.\1"),
    (r"generator\.layers\.(\d+)\.0\.conv_(\d)\.(.*)", r"blocks.\1.convs.\2.\3"),
    (r"generator\.layers\.(\d+)\.0\.bn_(\d)\.scale\.weight", r"blocks.\1.norms.\2.gain.weight"),
    (r"generator\.layers\.(\d+)\.0\.bn_(\d)\.offset\.weight", r"blocks.\1.norms.\2.bias.weight"),
    (r"generator\.layers\.(\d+)\.0\.bn_(\d)\.(running_mean|running_var)s", r"blocks.\1.norms.\2.norm.table.\3"),
    (r"generator\.layers\.(\d+)\.1\.snconv1x1_(theta|phi|g)\.(.*)", r"blocks.\1.attention.\2.\3"),
    (r"generator\.layers\.(\d+)\.1\.snconv1x1_o_conv\.(.*)", r"blocks.\1.attention.o.\2"),
    (r"generator\.layers\.(\d+)\.1\.gamma", r"blocks.\1.attention.gamma"),
    (r"generator\.bn\.(weight|bias)", r"norm.\1"),
    (r"generator\.bn\.(running_mean|running_var)s", r"norm.table.\1"),
    (r"generator\.conv_to_rgb\.(.*)", r"head.\1"),
)


@dataclass(frozen=True)
class Config:
    """What the tensors do not say."""

    layers: list[tuple[bool, int, int]]  # whether a block doubles the size, and multiples of the width
    eps: float


def detect(tensors: State) -> bool:
    """Tell by the embedding and the first layer."""
    return "embeddings.weight" in tensors and any(name.startswith("generator.gen_z.") for name in tensors)


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; the statistics that the model starts with are those for a truncation of 1, the last of each table."""
    config = _config(asked.file)
    folded = spectral.folded(without(tensors, "num_batches_tracked"))
    found = renamed(network.without_gaps(folded, "generator.layers", ".gamma"), NAMES, prefix="")
    blocks = [found[f"blocks.{i}.convs.0.weight"].shape[1] for i in range(count(found, r"blocks\.(\d+)\.convs\.0\."))]
    channels = [*blocks, found["norm.weight"].shape[0]]
    attended = [i for i in range(len(blocks)) if f"blocks.{i}.attention.gamma" in found]
    if len(config.layers) != len(blocks) or not all(channels) or len(blocks) > 2 * network.MOST_BLOCKS:
        raise ValueError(f"{len(config.layers)} blocks with channels, as its config has")
    if len(attended) > 1:
        raise ValueError("a network with one attention")
    side = network.coarsest(found["linear.bias"].shape[0], channels[0])
    found |= {name: _channels_first(found[name], side) for name in ("linear.weight", "linear.bias")}
    found |= {name.replace(".table.", "."): rows[-1] for name, rows in found.items() if ".table." in name}
    named = {f"G.{network.nested(name, attended)}": tensor for name, tensor in found.items()}
    return Converted("biggan-deep-hf", *_described(found, channels, attended, config, asked, side), named)


def _described(
    found: State, channels: list[int], attended: list[int], config: Config, asked: Asked, side: int
) -> tuple[dict[str, Any], DataSpec]:
    """Return the hyperparameters and the images of the network that the tensors are."""
    embedding, classes = found["codes.embed.weight"].shape
    doubling = [i + 1 for i, (doubles, _, _) in enumerate(config.layers) if doubles]
    options = {
        "z_dim": found["linear.weight"].shape[1] - embedding,
        "embedding": embedding,
        "channels": ",".join(map(str, channels)),
        "doubling": ",".join(map(str, doubling)),
        "attention": attended[0] + 1 if attended else 0,
        "eps": config.eps,
        "rows": len(found["norm.table.running_mean"]),
        "spare": found["head.weight"].shape[0] - COLOURS,
    }
    size = side << len(doubling)
    return options, DataSpec(COLOURS, size, size, network.class_names(asked, classes))


def _config(file: Path | None) -> Config:
    """Read the config beside a file: X-config.json for X-pytorch_model.bin, or X.json for X.bin."""
    if file is None:
        raise ValueError("a config file beside it")
    names = f"{file.stem.removesuffix(WEIGHTS)}{CONFIG}", f"{file.stem}.json"
    found = next((path for name in names if (path := file.with_name(name)).exists()), None)
    if found is None:
        wanted = names[not file.stem.endswith(WEIGHTS)]
        raise UserError(f"{file}: the config file that was published with it must lie beside it, as {wanted}")
    return read_json(found, Config)


def _channels_first(rows: Tensor, side: int) -> Tensor:
    """Reorder the first layer's outputs, which are (H, W, C) in the file."""
    return rows.unflatten(0, (side, side, -1)).movedim(2, 0).flatten(0, 2)
