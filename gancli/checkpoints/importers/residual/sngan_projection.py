"""SNGAN with projection in the layout of its authors' code, github.com/pfnet-research/sngan_projection, for Chainer."""

from gancli.checkpoints.importers.layout import Asked, Converted, State, renamed, without
from gancli.checkpoints.importers.residual import network
from gancli.checkpoints.importers.residual.mimicry import PLAIN, numbered

KNOWN_BY = "sngan_projection's .npz (l1/W, block2/c1/W, …)"
EPS = 2e-5  # Chainer's batch norm
CHAINER = (  # in the names of PyTorch
    (r"(.*)/(?:W|gamma)", r"\1.weight"),
    (r"(.*)/(?:b|beta)", r"\1.bias"),
    (r"(.*)/avg_(mean|var)", r"\1.running_\2"),
)
NAMES = (
    (r"(blocks\.\d+)\.b([12])/gammas\.weight", r"\1.norm\2.gain.weight"),
    (r"(blocks\.\d+)\.b([12])/betas\.weight", r"\1.norm\2.bias.weight"),
)


def detect(tensors: State) -> bool:
    """Tell by the first layer and the first block."""
    return {"l1/W", "block2/c1/W", "block2/c_sc/W"} <= {*tensors}


def convert(tensors: State, asked: Asked) -> Converted:
    """Convert; tables have a row for each class, and gains are absolute."""
    named = renamed(without(tensors, "/N"), CHAINER, prefix="")
    dotted = numbered({name.replace("/", ".", 1): tensor for name, tensor in named.items()})
    found = renamed(dotted, (*NAMES, *PLAIN), prefix="")
    for name in found:
        if name.endswith((".gain.weight", "1.bias.weight", "2.bias.weight")):
            found[name] = found[name].transpose(0, 1)
    return network.converted(found, asked, eps=EPS, centre=0.0)
