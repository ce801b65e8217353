"""Pictures larger than a network is given at once: cut into tiles, which leave no seam."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gancli.data.spec import DataSpec
from gancli.inference.translation import tiles
from gancli.nets.enlargers import rrdb, srresnet, strips
from gancli.nets.enlargers.rrdb import RRDBNet
from gancli.nets.enlargers.srresnet import SRResNet
from gancli.nets.enlargers.srvgg import CompactNet
from gancli.nets.layers.norms import InstanceNorm2d, Sharing
from gancli.nets.resnet_translator import ResnetTranslator
from gancli.nets.translators.ugatit import AttentiveNet


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 260), (68, 1000), (72, 72)])
def test_tiles_cover_an_image_and_fit(height: int, width: int) -> None:
    covered = torch.zeros(1, 1, height, width)
    for tile in tiles.cut(height, width, 4, 64, 12):
        assert not any(value % 4 for value in tile)
        assert tile.height <= 64 >= tile.width
        tile.of(covered).add_(1)
    assert covered.min() >= 1


def test_blending_gives_the_image_back() -> None:
    image = torch.rand(1, 3, 200, 300)
    drawn = tiles.apply(lambda x: x, nn.Identity(), image, 4, 64)
    torch.testing.assert_close(drawn, image)


def landscape(height: int, width: int) -> Tensor:
    """A picture whose parts differ: what a tile's own statistics would show."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    torch.manual_seed(0)
    noise = torch.rand(3, height, width) * (y > 0.5) * x
    return torch.stack([y, x, 1 - y])[None] * 1.2 - 0.8 + 0.8 * noise[None]


def trained(width: int = 8, blocks: int = 2) -> ResnetTranslator:
    """A network that looks as far as a trained one: fresh weights barely look beyond their own pixel's block."""
    torch.manual_seed(0)
    net = ResnetTranslator(width, blocks, DataSpec(3, 64, 64)).eval()
    with torch.no_grad():
        for p in net.decoder.head.parameters():
            p.mul_(4)
    return net


def test_reach_is_what_a_networks_kernels_say() -> None:
    """Of an average over 9 x 9 pixels: 4; of what moves the picture aside: as far as it moves; of a point: 0."""
    image = torch.rand(1, 3, 200, 300) * 2 - 1
    box = torch.full((3, 1, 9, 9), 1 / 81)
    average: tiles.Network = lambda x: nn.functional.conv2d(x, box, padding=4, groups=3)  # noqa: E731
    assert tiles.reach(average, image, 4, 128) == 4
    assert tiles.reach(lambda x: -x, image, 4, 128) == 0
    assert tiles.reach(lambda x: x.roll(13, 3), image, 4, 128) == 13


@pytest.mark.parametrize("largest", [64, 128, 256])
def test_tiles_leave_no_seam(largest: int) -> None:
    """Tiles differ from the whole picture, drawn with the same statistics, by less than a grey level."""
    net, image = trained(), landscape(272, 320)
    with torch.no_grad():
        with tiles.sharing(net):
            net(tiles.sample(image, 4, largest))
            together = net(image)
        tiled = tiles.apply(net, net, image, 4, largest)
        whole = net(image)
        alone = torch.cat([net(part) for part in image.split(160, 3)], 3)  # two tiles with norms of their own
    seam, wrong = (tiled - together).abs(), (alone - whole).abs()
    if largest > 64:  # of which three quarters are less than this network's reach on both sides
        assert seam.max() < 1 / 127.5
    assert seam.mean() < 0.01
    assert wrong.mean() > 0.05  # the control
    assert (tiled - whole).abs().mean() < 0.6 * wrong.mean()
    assert (alone - whole).diff(dim=3).mean((0, 1, 2)).abs()[159] > 0.02
    assert all(m.shared is None for m in net.modules() if isinstance(m, InstanceNorm2d))


def far_sighted(net: nn.Module, by: float) -> nn.Module:
    """Enlarge the weights of a fresh network, so that it looks as far as a trained one."""
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(by)
    return net.eval()


def enlargers() -> dict[str, Any]:
    """Networks without norms of the image, with how many times they enlarge."""
    torch.manual_seed(0)
    return {
        "dense": far_sighted(RRDBNet(3, 8, 4, 1), 1.7),
        "folded": far_sighted(RRDBNet(3, 8, 4, 1, fold=2), 1.7),
        "compact": far_sighted(CompactNet(3, 8, 3, 4), 1.5),
        "first": far_sighted(SRResNet(3, 8, 1, 1), 1.5),
    }


@pytest.mark.parametrize("name", ["dense", "folded", "compact", "first"])
@torch.no_grad()
def test_tiles_of_enlargers_leave_no_seam(name: str) -> None:
    """Tiles differ from the whole image by less than a grey level; so do strips in the last layers, not at all."""
    net, image = enlargers()[name], landscape(140, 200)
    multiple = getattr(net, "fold", 1)
    whole, tiled = net(image), tiles.apply(net, net, image, multiple, 96, net.scale)
    alone = torch.cat([net(part) for part in image.split(100, 3)], 3)  # the control
    assert tiled.shape == whole.shape == (1, 3, 140 * net.scale, 200 * net.scale)
    assert (tiled - whole).abs().max() < 1 / 127.5 < (alone - whole).abs().max()


@torch.no_grad()
def test_strips_give_what_all_rows_give(monkeypatch: pytest.MonkeyPatch) -> None:
    image = landscape(50, 40)
    for name, net in enlargers().items():
        whole = net(image)
        with monkeypatch.context() as patch:
            patch.setattr(strips, "PIXELS", 40 * 9)
            torch.testing.assert_close(net(image), whole, msg=name)
            for module in (rrdb, srresnet):
                patch.setattr(module, "REACH", 0)
            if name in ("dense", "first"):
                assert not torch.allclose(net(image), whole), name  # the control


@torch.no_grad()
def test_tiles_of_attention_and_mixed_norms_leave_no_seam() -> None:
    """U-GAT-IT's scales come from a mean over the image, and its norms from both kinds of statistics."""
    torch.manual_seed(0)
    net, image = AttentiveNet(8, 2).eval(), landscape(208, 240)
    with tiles.sharing(net):
        net(tiles.sample(image, 4, 128))
        together = net(image)
    tiled = tiles.apply(net, net, image, 4, 128)
    assert (tiled - together).abs().max() < 1 / 127.5
    assert (net(image[..., :120]) - together[..., :120]).abs().max() > 1 / 127.5  # the control
    with tiles.sharing(net):
        torch.testing.assert_close(net(image), net(image))  # sharing a single image's statistics changes nothing
    assert all(m.shared is None for m in net.modules() if isinstance(m, Sharing))


class Largest(TorchDispatchMode):
    """Remember the size of the largest tensor that is made."""

    values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.values = max(self.values, *(x.numel() for x in tree_leaves(made) if isinstance(x, Tensor)), 0)
        return made


@torch.no_grad()
def test_memory_does_not_grow_with_the_height_of_an_image() -> None:
    """Apart from the image itself: a tile is computed and a row of tiles is kept, and finished rows are handed on."""
    net = CompactNet(3, 4, 1, 4).eval()
    found = {}
    for height in (150, 1200):
        image, rows = landscape(height, 80), list[int]()
        with Largest() as largest:
            tiles.run(lambda x, rows=rows: rows.append(x.shape[2]), net, net, image, 1, 64, 4)
        assert sum(rows) == 4 * height
        assert max(rows) <= 4 * 64
        found[height] = largest.values
    assert found[150] == found[1200] < 3 * 4 * 1200 * 4 * 80 / 4
