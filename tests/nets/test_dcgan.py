"""DCGAN's networks: what their options add."""

import pytest
import torch

from gancli.data.spec import DataSpec
from gancli.families.relativistic import RelativisticHParams
from gancli.nets import dcgan
from gancli.nets.layers.stddev import MinibatchStddev
from gancli.variants.rpgan import RpGAN

SPEC = DataSpec(3, 32, 32)


def test_the_standard_deviation_of_a_batch_is_appended() -> None:
    layer = MinibatchStddev()
    x = torch.tensor([0.0, 2.0])[:, None, None, None].expand(2, 3, 4, 4)
    torch.testing.assert_close(layer(x)[:, 3], torch.ones(2, 4, 4))  # half of their distance
    alike = layer(x[:1].repeat(5, 1, 1, 1))[:, 3]
    torch.testing.assert_close(alike, torch.full((5, 4, 4), 1e-4))  # the root of the epsilon


def test_in_evaluation_images_are_judged_alone() -> None:
    torch.manual_seed(0)
    gan = RpGAN(RelativisticHParams(**RpGAN.preset(SPEC)), SPEC)
    x, z = torch.rand(4, 3, 32, 32), torch.randn(4, 16)
    assert not torch.allclose(gan.rate(x, z)[:2], gan.rate(x[:2], z[:2]), atol=1e-5)  # in training the others count
    gan.eval()
    torch.testing.assert_close(gan.rate(x, z)[:2], gan.rate(x[:2], z[:2]))


@pytest.mark.parametrize("mapping", [0, 2])
def test_without_norm_a_signal_keeps_its_size(mapping: int) -> None:
    torch.manual_seed(0)
    G = dcgan.Generator(64, 32, SPEC, None, mapping)
    z, sizes = torch.randn(64, 64), []
    for layer in G.net[:-2]:  # without the last, whose weights are DCGAN's
        layer.register_forward_hook(lambda _m, _i, y: sizes.append(y.square().mean().sqrt().item()))
    G(z)
    assert all(0.5 < size < 2 for size in sizes), sizes
