"""SNGAN, SAGAN and BigGAN in the layout of PyTorch-StudioGAN's residual networks."""

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed, without
from gancli.checkpoints.importers.reading import spectral
from gancli.checkpoints.importers.residual import network

KNOWN_BY = "PyTorch-StudioGAN (linear0, blocks.0.0.conv2d1, …)"
EPS = 1e-4  # of all its batch norms
NAMES = (
    (r"linear0\.(.*)", r"linear.\1"),
    (r"shared\.weight", "codes.embed.weight"),
    (r"(blocks\.\d+)\.0\.0\.conv2d0\.(.*)", r"\1.shortcut.\2"),
    (r"(blocks\.\d+)\.0\.0\.conv2d([12])\.(.*)", r"\1.conv\2.\3"),
    (r"(blocks\.\d+)\.0\.0\.bn([12])\.bn\.(running_.*)", r"\1.norm\2.norm.\3"),
    (r"(blocks\.\d+)\.0\.0\.bn([12])\.(gain|bias)\.weight", r"\1.norm\2.\3.weight"),
    (r"(blocks\.\d+)\.0\.0\.bn([12])\.(weight|bias|running_.*)", r"\1.norm\2.norm.\3"),
    (r"(blocks\.\d+)\.1\.0\.conv1x1_(theta|phi|g)\.(.*)", r"\1.attention.\2.\3"),
    (r"(blocks\.\d+)\.1\.0\.conv1x1_attn\.(.*)", r"\1.attention.o.\2"),
    (r"(blocks\.\d+)\.1\.0\.sigma", r"\1.attention.gamma"),
    (r"bn4\.(.*)", r"norm.\1"),
    (r"conv2d5\.(.*)", r"head.\1"),
)


def detect(tensors: State) -> bool:
    """Tell by the first layer and the first block, under spectral norm or not."""
    return all(
        any(f"{layer}.{kind}" in tensors for kind in ("weight", "weight_orig"))
        for layer in ("linear0", "blocks.0.0.conv2d1", "blocks.0.0.conv2d0", "conv2d5")
    )


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; attention is an entry of its own in the list of blocks."""
    found = spectral.folded(without(tensors, "num_batches_tracked"))
    found = renamed(network.without_gaps(found, "blocks", ".0.sigma"), NAMES, prefix="")
    if "codes.embed.weight" in found:
        found["codes.embed.weight"] = found["codes.embed.weight"].transpose(0, 1)
    return network.converted(found, asked, eps=EPS)
