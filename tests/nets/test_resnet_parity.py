"""Public residual generators with the weights that their own code wrote: ours give the images that theirs gave."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.nets.high_fidelity.resnet_gan import Generator
from gancli.nets.layers import statistics
from tests.nets import resnet_layouts as layouts
from tests.nets.resnet_layouts import Theirs
from tests.parity import Fixture, fixture

DEEP_FILE = "hf-biggan-deep-32-pytorch_model.bin"
GIVEN: dict[str, Callable[[str], tuple[Generator, Theirs]]] = {
    "biggan-ajbrock-32.G_ema.pth": lambda name: layouts.ajbrock(name, chunked=True, attention=1),
    "biggan-ajbrock-cifar.G_ema.pth": lambda name: layouts.ajbrock(name, chunked=False, attention=0),
    "studiogan-biggan32.G_ema.pth": lambda name: layouts.studiogan(name, attention=1),
    "studiogan-sngan32.G_ema.pth": layouts.studiogan,
    "mimicry-sngan32.netG.pth": layouts.mimicry,
    "mimicry-cganpd32.netG.pth": layouts.mimicry,
}


def latents(given: Fixture, classes: int) -> Tensor:
    z = given.tensor("in_z")
    return torch.cat([z, F.one_hot(given.tensor("in_y"), classes).float()], 1) if classes else z


def classes_of(G: Generator) -> int:
    codes = G.codes
    return codes.embed.in_features if hasattr(codes.embed, "in_features") else codes.label  # pyright: ignore


@pytest.mark.parametrize("name", GIVEN)
@torch.no_grad()
def test_a_public_generator(name: str) -> None:
    given, (G, theirs) = fixture(name), GIVEN[name](name)
    assert not theirs.rest - {"global_step"}, "tensors that nothing took"
    z = latents(given, classes_of(G))
    assert given.gives("out_img", G(z))
    assert not given.gives("out_img", G(z * 1.01))


@pytest.mark.parametrize("truncation", ["1", "0.7", "0.4", "0.43", "0.14"])
@torch.no_grad()
def test_biggan_deep_at_every_truncation(truncation: str) -> None:
    """Also between two rows of its statistics (.43), and where the authors' rounding takes the next row (.14)."""
    given, output = fixture(DEEP_FILE), f"out_trunc{truncation}"
    G, theirs = layouts.huggingface(DEEP_FILE, given.config)
    assert not theirs.rest
    z = latents(given, given.config["num_classes"])[: len(given.arrays[output])]
    z[:, : given.config["z_dim"]] *= float(truncation)
    statistics.choose(G, float(truncation))
    assert given.gives(output, G(z))
    statistics.choose(G, 0.9)
    assert not given.gives(output, G(z))
