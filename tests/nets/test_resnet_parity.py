"""Public residual generators with the weights that their own code wrote: ours give the images that theirs gave.

The files hold random weights, inputs and the outputs of the authors' code in float32; `rounding` is how far that was
from float64.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.nets.high_fidelity.resnet_gan import Generator
from gancli.nets.layers import statistics
from tests.nets import resnet_layouts as layouts
from tests.nets.resnet_layouts import Theirs, read

DEEP = {
    "channel_width": 3,
    "attention_layer_position": 4,
    "eps": 1e-4,
    "n_stats": 51,
    "z_dim": 16,
    "layers": [(False, 16, 16), (True, 16, 8), (True, 8, 4), (False, 4, 4), (True, 4, 2), (False, 2, 1)],
}
DEEP_FILE = "hf-biggan-deep-32-pytorch_model.bin"
GIVEN: dict[str, tuple[Callable[[str], tuple[Generator, Theirs]], float]] = {
    "biggan-ajbrock-32.G_ema.pth": (lambda name: layouts.ajbrock(name, chunked=True, attention=1), 1.5e-6),
    "biggan-ajbrock-cifar.G_ema.pth": (lambda name: layouts.ajbrock(name, chunked=False, attention=0), 1e-6),
    "studiogan-biggan32.G_ema.pth": (lambda name: layouts.studiogan(name, attention=1), 2.9e-6),
    "studiogan-sngan32.G_ema.pth": (layouts.studiogan, 1.6e-6),
    "mimicry-sngan32.netG.pth": (layouts.mimicry, 1.8e-6),
    "mimicry-cganpd32.netG.pth": (layouts.mimicry, 2.4e-6),
}


def close(image: Tensor, expected: Tensor, rounding: float) -> bool:
    limit = max(1e-4 * max(1.0, float(expected.abs().max())), 10 * rounding)
    return image.shape == expected.shape and float((image - expected).abs().max()) <= limit


def latents(arrays: dict[str, Tensor], classes: int) -> Tensor:
    z = arrays["in_z"]
    return torch.cat([z, F.one_hot(arrays["in_y"], classes).float()], 1) if classes else z


def classes_of(G: Generator) -> int:
    codes = G.codes
    return codes.embed.in_features if hasattr(codes.embed, "in_features") else codes.label  # pyright: ignore


@pytest.mark.parametrize("name", GIVEN)
@torch.no_grad()
def test_a_public_generator(name: str) -> None:
    build, rounding = GIVEN[name]
    G, theirs = build(name)
    assert not theirs.rest - {"global_step"}, "tensors that nothing took"
    arrays = read(name)[1]
    z = latents(arrays, classes_of(G))
    assert close(G(z), arrays["out_img"], rounding)
    assert not close(G(z * 1.01), arrays["out_img"], rounding)


@pytest.mark.parametrize(
    ("truncation", "rounding"), [("1", 8e-6), ("0.7", 8.6e-6), ("0.4", 4.3e-6), ("0.43", 3.1e-6), ("0.14", 3e-6)]
)
@torch.no_grad()
def test_biggan_deep_at_every_truncation(truncation: str, rounding: float) -> None:
    """Also between two rows of its statistics (.43), and where the authors' rounding takes the next row (.14)."""
    G, theirs = layouts.huggingface(DEEP_FILE, DEEP)
    assert not theirs.rest
    arrays = read(DEEP_FILE)[1]
    expected = arrays[f"out_trunc{truncation}"]
    z = latents(arrays, 12)[: len(expected)]
    z[:, : DEEP["z_dim"]] *= float(truncation)
    statistics.choose(G, float(truncation))
    assert close(G(z), expected, rounding)
    statistics.choose(G, 0.9)
    assert not close(G(z), expected, rounding)
