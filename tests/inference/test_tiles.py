"""Pictures larger than a network is given at once: cut into tiles, which leave no seam."""

import pytest
import torch
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.inference.translation import tiles
from gancli.nets.layers.norms import InstanceNorm2d
from gancli.nets.resnet_translator import ResnetTranslator


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
