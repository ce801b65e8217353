"""Generators in the layout of the CycleGAN and pix2pix repository and of CUT's: what `cyclegan_pix2pix` reads.

With every tensor that the authors' networks have, so that their code loads the file strictly: biases in front of norms,
which take them out again, are zeros, and so are statistics, which it uses only after `eval()`.
"""

import torch
from torch import Tensor, nn

from gancli.checkpoints.importers.layout import State
from gancli.errors import UserError
from gancli.nets.resnet_translator import DOWN, ResnetTranslator
from gancli.nets.unet import UNet


def layout(net: nn.Module) -> State | None:
    """Return the tensors of a generator under the authors' names; None for networks that they do not have.

    Raise UserError for a residual network that halves images less or more often than theirs.
    """
    if isinstance(net, UNet):
        found = _of_unet(net)
    elif isinstance(net, ResnetTranslator):
        found = _of_resnet(net)
    else:
        return None
    return {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in found.items()}


def _of_resnet(net: ResnetTranslator) -> State:
    down, up, blocks = net.encoder.down, net.decoder.up, net.encoder.blocks
    if len(down) != DOWN:
        raise UserError(
            f"the authors' network halves images {DOWN} times, and this one {len(down)}: "
            f"train with --down {DOWN}, as --preset paper does, or give --to FILE.safetensors"
        )
    antialias = len(down[0]) == 4  # type: ignore[arg-type]
    found, at = _conv("model.1", net.encoder.stem), 4
    for layers in down:
        found |= _conv(f"model.{at}", layers)
        if antialias:
            found[f"model.{at + 3}.filt"] = _filter(layers, [1.0, 2.0, 1.0])
        at += 3 + antialias
    for block in blocks:
        inner = block.net
        assert isinstance(inner, nn.Sequential)
        found |= _conv(f"model.{at}.conv_block.1", inner[:2]) | _conv(f"model.{at}.conv_block.5", inner[3:])
        at += 1
    for layers in up:
        assert isinstance(layers, nn.Sequential)
        if antialias:
            found[f"model.{at}.filt"] = 4 * _filter(layers[1:], [1.0, 3.0, 3.0, 1.0], of_input=True)
        at += antialias
        found |= _conv(f"model.{at}", layers[antialias:])
        at += 3
    head = net.decoder.head
    assert head.bias is not None
    return found | {f"model.{at + 1}.weight": head.weight, f"model.{at + 1}.bias": head.bias}


def _conv(name: str, layers: nn.Module) -> State:
    """Return a convolution, whose bias is 0, and the norm behind it, which mostly has no tensors."""
    assert isinstance(layers, nn.Sequential)
    weight, transposed = _weight(layers), isinstance(layers[0], nn.ConvTranspose2d)
    found: State = {f"{name}.weight": weight, f"{name}.bias": weight.new_zeros(weight.shape[1 if transposed else 0])}
    head, _, number = name.rpartition(".")
    return found | {f"{head}.{int(number) + 1}.{part}": tensor for part, tensor in layers[1].named_parameters()}


def _filter(layers: nn.Module, row: list[float], *, of_input: bool = False) -> Tensor:
    """Return the filter behind a convolution, or in front of one, for each of its channels."""
    taps = torch.tensor(row) / sum(row)
    return torch.outer(taps, taps).expand(_weight(layers).shape[1 if of_input else 0], 1, -1, -1)


def _weight(layers: nn.Module) -> Tensor:
    """Return that of the first layer."""
    weight = next(layers.parameters())
    assert weight.dim() == 4
    return weight


def _of_unet(net: UNet) -> State:
    levels, at = len(net.down), "model.model"
    found = _named(net.down[0].state_dict(), {"0": f"{at}.0"})
    for level in range(1, levels):
        at = f"{at}.{1 if level == 1 else 3}.model"
        innermost = level == levels - 1
        found |= _named(net.down[level].state_dict(), {"0": f"{at}.1", "1": f"{at}.2"})
        up = {"0": f"{at}.{3 if innermost else 5}", "1": f"{at}.{4 if innermost else 6}"}
        found |= _named(net.up[levels - 1 - level].state_dict(), up)
    return found | {f"model.model.3.{part}": tensor for part, tensor in net.head.state_dict().items()}


def _named(state: State, places: dict[str, str]) -> State:
    """Put a convolution and a norm in their places; the authors' norm also has statistics."""
    found: State = {}
    for name, tensor in state.items():
        layer, _, part = name.partition(".")
        found[f"{places[layer]}.{part}"] = tensor
        if (layer, part) == ("1", "weight"):
            found |= {f"{places[layer]}.running_mean": torch.zeros(len(tensor))}
            found |= {f"{places[layer]}.running_var": torch.ones(len(tensor))}
            found |= {f"{places[layer]}.num_batches_tracked": torch.tensor(0)}
    return found
