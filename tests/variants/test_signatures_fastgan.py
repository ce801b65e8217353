"""What FastGAN is known by: coarse maps that steer fine ones, and a D whose maps must show the image."""

from typing import Any

import pytest
import torch

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.fastgan import Discriminator, Excitation, Generator, Noise, _quarter
from gancli.nets.layers import spectral
from tests.variants.small import feed, make

SPEC = DataSpec(3, 32, 48)


def test_the_papers_layers_at_256_pixels() -> None:
    """Excitations 4 -> 64, 8 -> 128 and 16 -> 256; D ends in 5 x 5 logits of the image and of its half."""
    spec = DataSpec(3, 256, 256)
    G, D = Generator(8, 8, spec), Discriminator(8, spec)
    pairs = [(e.net[1].in_channels, e.net[1].out_channels) for e in G.excitations if isinstance(e, Excitation)]
    assert pairs == [(128, 16), (64, 8), (32, 4)]
    assert len(D.excitations) == 3
    x = torch.zeros(2, 3, 256, 256)
    maps = D.maps(x)
    assert [m.shape[2] for m in maps] == [256, 128, 64, 32, 16, 8]
    assert D(x).shape == (2, 50)
    assert [y.shape[2:] for y, _ in D.rebuilt(x, maps)] == [(128, 128), (128, 128)]


def test_an_excitation_weighs_channels_by_the_coarse_map() -> None:
    excite, fine = Excitation(4, 6), torch.randn(2, 6, 8, 8)
    one, other = (excite(coarse, fine) / fine for coarse in torch.randn(2, 2, 4, 4, 4))
    torch.testing.assert_close(one, one[:, :, :1, :1].expand_as(one))
    assert one.min() > 0
    assert one.max() < 1
    assert not torch.allclose(one, other)


def test_a_latent_is_one_image_outside_of_training() -> None:
    gan: Any = make("fastgan", SPEC)
    for noise in (m for m in gan.G.modules() if isinstance(m, Noise)):
        noise.strength.data.fill_(1)
    z = gan.prior(2)
    assert not torch.equal(gan.G(z), gan.G(z))
    gan.eval()
    assert torch.equal(gan.generate(z), gan.generate(z))


def test_quarters_are_cut_from_maps_and_images_alike() -> None:
    x = torch.arange(32.0).view(1, 1, 4, 8)
    for which, corner in enumerate((0.0, 4.0, 16.0, 20.0)):
        part = _quarter(x, torch.tensor([which]))
        assert part.shape == (1, 1, 2, 4)
        assert part.flatten()[0] == corner


def test_d_is_trained_to_rebuild_real_images_and_g_is_not() -> None:
    gan: Any = make("fastgan", SPEC)
    batch = feed(gan).at(0)
    fake = gan.generate(gan.prior(len(batch)))
    terms = gan.d_terms(batch.image, fake.detach())
    gan.D.zero_grad()
    terms["rebuilt"].backward()
    for layer in (gan.D.first[0].parametrizations.weight.original, gan.D.whole[-2].weight, gan.D.part[-2].weight):
        assert layer.grad is not None
        assert layer.grad.abs().sum() > 0
    assert set(gan.g_terms(fake)) == {"adversarial"}


@pytest.mark.parametrize("network", ["G", "D"])
def test_spectral_norms_follow_the_network_that_moves(network: str) -> None:
    gan: Any = make("fastgan", SPEC)
    norms = {who: [m for m in getattr(gan, who).modules() if isinstance(m, spectral.SpectralNorm)] for who in "GD"}
    before = {who: [m.u.clone() for m in found] for who, found in norms.items()}
    with torch.no_grad():
        for weight in gan.parameters():
            weight.add_(torch.randn_like(weight))
    gan.moved(network, {})
    moved = {who: any(not torch.equal(m.u, u) for m, u in zip(norms[who], before[who])) for who in "GD"}
    assert moved == {who: who == network for who in "GD"}
