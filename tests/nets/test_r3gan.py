"""R3GAN's networks: the authors' outputs from the authors' weights, and layers that differentiate twice."""

import re

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.checkpoints.importers.reading import modules
from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity import r3gan
from gancli.nets.high_fidelity.r3gan import Block, Discriminator, Generator, Pointwise, Stage
from gancli.nets.layers.grouped import Grouped
from gancli.nets.layers.resampling.bilinear import doubled, halved
from tests.parity import fixture

# of the file: brownvc/R3GAN@19a7ddf463fb with random weights, widths 12 12 8 8 in 3 3 4 2 groups
STAGES = [Stage(12, 2, 8), Stage(12, 2, 8), Stage(8, 2, 4), Stage(8, 2, 8)]
NAMES = {
    "Basis": "basis.maps",
    "LinearLayer.weight": "basis.linear.weight",
    "LinearLayer1.Layer.weight": "expand.weight",
    "LinearLayer2.Layer.weight": "grouped.weight",
    "LinearLayer3.Layer.weight": "contract.weight",
    "NonLinearity1.Bias": "expand.bias",
    "NonLinearity2.Bias": "grouped.bias",
}


def renamed(name: str) -> str:
    """The name in our generator of a tensor of the authors'."""
    place = re.match(r"Model\.MainLayers\.(\d+)\.Layers\.(\d+)\.(.*)", name)
    if not place:
        return {"Model.AggregationLayer.Layer.weight": "image.weight"}[name]
    stage, layer, rest = int(place[1]), int(place[2]), place[3]
    if layer:
        return f"stages.{stage}.{layer - 1}.{NAMES[rest]}"
    return f"narrow.{stage - 1}.weight" if rest == "LinearLayer.Layer.weight" else NAMES[rest]


@pytest.mark.parametrize("learning", [False, True])
def test_the_authors_weights_give_the_authors_images(learning: bool) -> None:
    given = fixture("r3gan-uncond32.pkl")
    held = {name: t for name, t in modules.tensors(given.weights()["G_ema"]).items() if "Kernel" not in name}
    G = Generator(24, STAGES, DataSpec(3, 32, 32))
    G.load_state_dict({renamed(name): t for name, t in held.items()})
    with torch.set_grad_enabled(learning):
        x = G(given.tensor("in_z")).detach()
    assert given.gives("out_fp32", x)


def test_the_papers_generator_has_as_many_weights() -> None:
    G = Generator(64, r3gan.stages(768, DataSpec(3, 64, 64)), DataSpec(3, 64, 64))
    wide, half = (2 * (2 * c * 2 * c + 2 * c * 16 * 9 + 2 * 2 * c) for c in (768, 384))  # two blocks
    assert (
        sum(p.numel() for p in G.parameters()) == 4 * wide + half + 768 * (64 + 16) + 768 * 384 + 384 * 3 == 22_429_824
    )
    assert [stage.channels for stage in r3gan.stages(768, DataSpec(3, 256, 256))] == [768] * 4 + [384, 192, 96]


def networks(spec: DataSpec, patch: int = 1, classes: int = 0) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    stages = r3gan.stages(8, spec, 2, patch, 2, 4)
    return Generator(6, stages, spec, patch, classes), Discriminator(stages, spec, patch, classes)


def test_neither_network_has_a_norm() -> None:
    known = (Generator, Discriminator, Block, Pointwise, Grouped, r3gan.Basis, nn.Conv2d, nn.Linear, nn.Identity)
    known = (*known, nn.Sequential, nn.ModuleList, nn.PixelShuffle, nn.PixelUnshuffle)
    for network in networks(DataSpec(3, 16, 16)):
        assert all(type(module) in known for module in network.modules())


def test_every_block_is_the_identity_at_the_start() -> None:
    for network in networks(DataSpec(3, 16, 16)):
        blocks = [module for module in network.modules() if isinstance(module, Block)]
        assert len(blocks) == 6
        for block in blocks:
            x = torch.randn(2, block.expand.in_channels, 4, 4)
            assert torch.equal(block(x), x)
            nn.init.ones_(block.contract.weight)
            assert not torch.equal(block(x), x)


def test_gains_are_those_of_fixup() -> None:
    """He et al.'s for a leaky ReLU, times (number of blocks)^(-1/4)."""
    block = Block(256, 16, total=16)
    for layer, inputs in ((block.expand, 256), (block.grouped, 16 * 9)):
        assert layer.weight.std().item() == pytest.approx((2 / 1.04 / inputs) ** 0.5 / 2, rel=0.02)


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("spec", [DataSpec(1, 8, 8), DataSpec(4, 28, 56), DataSpec(3, 24, 16)], ids=str)
def test_any_shape_with_and_without_labels(spec: DataSpec, patch: int) -> None:
    for classes in (0, 3):
        G, D = networks(spec, patch, classes)
        y = torch.eye(3)[[0, 1]] if classes else torch.zeros(2, 0)
        x = G(torch.cat([torch.randn(2, 6), y], 1))
        assert x.shape == (2, spec.channels, spec.height, spec.width)
        assert D(x, y).shape == (2,)


def test_labels_are_projected() -> None:
    _, D = networks(DataSpec(3, 16, 16), classes=3)
    x = torch.randn(2, 3, 16, 16)
    parts = torch.stack([D(x, torch.eye(3)[[k, k]]) for k in range(3)])
    torch.testing.assert_close(D(x, torch.ones(2, 3)), parts.sum(0))
    assert parts.std(0).min() > 0


# ------------------------------------------------------------------------------------------------------- layers


def by_filter(x: Tensor, up: bool) -> Tensor:
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 4, 4)
    if up:
        return F.conv_transpose2d(x, 4 * kernel, None, 2, 1, groups=x.shape[1])
    return F.conv2d(x, kernel, None, 2, 1, groups=x.shape[1])


@pytest.mark.parametrize("up", [True, False])
def test_resampling_is_the_filter_and_differentiates_again(up: bool) -> None:
    x = torch.randn(2, 3, 4, 6, dtype=torch.double, requires_grad=True)
    change = doubled if up else halved
    torch.testing.assert_close(change(x), by_filter(x, up))
    assert torch.autograd.gradcheck(change, x)
    assert torch.autograd.gradgradcheck(lambda x: change(x).pow(3), x)


def slope(layer: nn.Conv2d, x: Tensor, plain: bool) -> tuple[Tensor, ...]:
    """The output, and the gradients of a penalty on the slope of a function of it."""
    x = x.clone().requires_grad_()
    y = nn.Conv2d.forward(layer, x) if plain else layer(x)
    inner = torch.autograd.grad(F.leaky_relu(y).pow(2).sum(), x, create_graph=True)[0]
    loss = inner.square().sum() + y.pow(3).sum()
    return y, *torch.autograd.grad(loss, [x, *layer.parameters()])


@pytest.mark.parametrize("layer", [Grouped(8, 2), Grouped(6, 6), Grouped(4, 1), Pointwise(4, 6, 1), Pointwise(6, 2, 1)])
def test_quick_convolutions_are_convolutions_twice(layer: nn.Conv2d) -> None:
    layer = layer.double()
    x = torch.randn(3, layer.in_channels, 5, 4, dtype=torch.double)
    for found, expected in zip(slope(layer, x, plain=False), slope(layer, x, plain=True), strict=True):
        torch.testing.assert_close(found, expected)


def test_the_grouped_convolution_follows_autocast() -> None:
    layer, x = Grouped(8, 2), torch.randn(2, 8, 4, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32
