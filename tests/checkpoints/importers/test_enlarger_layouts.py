"""Enlargers in the layouts of others, with widths, depths and scales that nobody published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gancli.nets.enlargers.rrdb import RRDBNet
from gancli.nets.enlargers.srresnet import SRResNet
from gancli.nets.enlargers.srvgg import CompactNet
from tests.checkpoints.importers.layouts import State, alike, full, imported, renamed

ESRGAN = (
    (r"body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2"), ("conv_body", "trunk_conv"), (r"conv_up(\d)", r"upconv\1"),
    ("conv_hr", "HRconv"),
)  # fmt: skip


def oldest(net: RRDBNet) -> State:
    """The layout in which everything is numbered; enlarging is a layer before each convolution, a ReLU behind it."""
    last = 3 * net.ups + 2
    state = renamed(
        net.state_dict(),
        (r"^body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."),
        (r"^conv_body\.", f"model.1.sub.{len(net.body)}."),
        (r"^conv_first\.", "model.0."),
        (r"^conv_hr\.", f"model.{last}."),
        (r"^conv_last\.", f"model.{last + 2}."),
    )
    return renamed(state, *((rf"^conv_up{i}\.", f"model.{3 * i}.") for i in range(1, net.ups + 1)))


RRDB: dict[str, tuple[RRDBNet, Callable[[RRDBNet], State]]] = {
    "Real-ESRGAN x2": (RRDBNet(3, 8, 4, 2, fold=2), lambda net: net.state_dict()),
    "Real-ESRGAN x1, grey": (RRDBNet(1, 6, 3, 1, fold=4), lambda net: net.state_dict()),
    "Real-ESRGAN x4, 6 blocks of 32": (RRDBNet(3, 32, 16, 6), lambda net: net.state_dict()),
    "ESRGAN, 12 blocks": (RRDBNet(3, 6, 5, 12), lambda net: renamed(net.state_dict(), *ESRGAN)),
    "ESRGAN x2": (RRDBNet(3, 8, 4, 1, ups=1), lambda net: renamed(net.state_dict(), *ESRGAN)),
    "oldest x1": (RRDBNet(3, 8, 4, 1, ups=0), oldest),
    "oldest x2": (RRDBNet(1, 8, 4, 2, ups=1), oldest),
    "oldest x8": (RRDBNet(3, 8, 4, 11, ups=3), oldest),
}


@pytest.mark.parametrize("layout", RRDB)
def test_esrgan_in_every_layout(layout: str, tmp_path: Path) -> None:
    made, write = RRDB[layout]
    net: Any = full(made)
    gan, variant, _ = imported({"params_ema": write(net), "params": {"x": torch.ones(1)}}, tmp_path)
    assert variant == "esrgan"
    assert alike(gan, net, torch.rand(1, gan.spec.channels, 8, 12))


@pytest.mark.parametrize(("channels", "features", "layers", "scale"), [(3, 5, 3, 2), (1, 4, 1, 3), (3, 64, 2, 1)])
def test_the_compact_network(channels: int, features: int, layers: int, scale: int, tmp_path: Path) -> None:
    net = full(CompactNet(channels, features, layers, scale))
    gan, variant, _ = imported({"params": net.state_dict()}, tmp_path)
    assert variant == "realesrgan-compact"
    assert alike(gan, net, torch.rand(1, channels, 8, 12))


@pytest.mark.parametrize(("features", "blocks", "ups"), [(8, 1, 1), (5, 12, 3), (4, 5, 2)])
def test_srgan(features: int, blocks: int, ups: int, tmp_path: Path) -> None:
    net = full(SRResNet(3, features, blocks, ups))
    state = renamed(
        net.state_dict(),
        *((rf"^body\.{i}\.", f"block{i + 2}.") for i in reversed(range(blocks))),
        (r"^first\.", "block1."),
        (r"^after\.", f"block{blocks + 2}."),
        (r"^up\.", f"block{blocks + 3}."),
        (r"^last\.", f"block{blocks + 3}.{ups}."),
    )
    gan, variant, _ = imported(state, tmp_path)
    assert variant == "srgan"
    assert alike(gan, net, torch.rand(1, 3, 8, 12))
