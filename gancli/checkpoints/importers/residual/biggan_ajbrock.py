"""BigGAN in the layout of github.com/ajbrock/BigGAN-PyTorch."""

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed, without
from gancli.checkpoints.importers.reading import spectral
from gancli.checkpoints.importers.residual import network

KNOWN_BY = "BigGAN-PyTorch (blocks.0.0.conv_sc, output_layer.0.gain, …)"
STATISTICS = r"(?:bn\.)?(?:stored|running)_(mean|var)"  # `bn.` with the authors' own batch norm, or a synchronous one
NAMES = (
    (r"(linear\..*)", r"\1"),
    (r"shared\.weight", "codes.embed.weight"),
    (r"(blocks\.\d+)\.0\.(conv[12]\..*)", r"\1.\2"),
    (r"(blocks\.\d+)\.0\.conv_sc\.(.*)", r"\1.shortcut.\2"),
    (r"(blocks\.\d+)\.0\.bn([12])\.(gain|bias)\.weight", r"\1.norm\2.\3.weight"),
    (rf"(blocks\.\d+)\.0\.bn([12])\.{STATISTICS}", r"\1.norm\2.norm.running_\3"),
    (r"(blocks\.\d+)\.1\.(.*)", r"\1.attention.\2"),
    (r"output_layer\.0\.gain", "norm.weight"),
    (r"output_layer\.0\.bias", "norm.bias"),
    (rf"output_layer\.0\.{STATISTICS}", r"norm.running_\1"),
    (r"output_layer\.2\.(.*)", r"head.\1"),
)


def detect(tensors: State) -> bool:
    """Tell by the first shortcut and the last norm."""
    return {"blocks.0.0.conv_sc.weight", "output_layer.0.gain"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; without an embedding that all blocks share, each of them has tables with a row for each class."""
    tensors = without(tensors, "num_batches_tracked", "accumulation_counter")
    found = renamed(spectral.stepped(tensors), NAMES, prefix="")
    shared = "codes.embed.weight" in found
    for name in found:
        if name == "codes.embed.weight" or (not shared and name.endswith((".gain.weight", ".bias.weight"))):
            found[name] = found[name].transpose(0, 1)
        elif name.endswith(".gamma"):
            found[name] = found[name].view(1)
    return network.converted(found, asked)
