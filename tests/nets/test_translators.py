"""Translators and patch discriminators against the papers' counts and fields of view."""

from typing import Any

import pytest
import torch
from torch import nn

from gancli import registry
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.translators import Translator
from gancli.nets.layers.norms import InstanceNorm2d
from gancli.nets.patchgan import PatchGAN, Scales
from gancli.nets.resnet_translator import Blur, ResnetTranslator
from gancli.nets.unet import UNet
from gancli.ops import losses
from gancli.ops.crop_flip import jitter
from gancli.ops.image_pool import ImagePool

LARGE = DataSpec(3, 256, 256)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_parameters_are_the_authors_less_biases_that_norms_take_out() -> None:
    with torch.device("meta"):
        assert count(ResnetTranslator(64, 9, LARGE)) == 11_378_179 - 5_248
        assert count(UNet(64, 8, LARGE)) == 54_413_955
        assert count(PatchGAN(64, 3, LARGE)) == 2_764_737 - 896
        assert count(PatchGAN(64, 3, LARGE, given=3)) == 2_768_705 - 1_792  # and the scale of a norm


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_just_its_patch(layers: int, field: int) -> None:
    net = PatchGAN(4, layers, LARGE)
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if isinstance(child, InstanceNorm2d):  # its statistics see the whole image
                setattr(parent, name, nn.Identity())
    x = torch.rand(1, 3, 256, 256, requires_grad=True)
    logits = net(x)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [field, field]


def test_instance_norm_is_torchs() -> None:
    x = torch.randn(3, 5, 8, 6) * 4 + 2
    torch.testing.assert_close(InstanceNorm2d(5)(x), nn.InstanceNorm2d(5)(x))


def test_the_pool_fills_then_gives_every_second_one_back() -> None:
    torch.manual_seed(0)
    pool = ImagePool(50, DataSpec(1, 1, 1))
    first = torch.arange(50.0).reshape(50, 1, 1, 1)
    assert torch.equal(pool.swap(first), first)
    later = torch.arange(50.0, 4050).reshape(-1, 1, 1, 1)
    given = torch.cat([pool.swap(part) for part in later.split(8)])
    old = (given != later).float().mean()
    assert 0.46 < old < 0.54
    # nothing is lost, nothing is made up
    everything = torch.cat([given.flatten(), pool.images.flatten()]).sort().values
    assert torch.equal(everything, torch.arange(4050.0))
    assert torch.equal(ImagePool(0, LARGE).swap(first), first)


def test_pairs_are_cut_alike() -> None:
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    where = torch.stack([x, y])[None].repeat(16, 1, 1, 1)
    one, other = jitter(where, where * 0.5, enlarge=0.2, mirror=True)
    torch.testing.assert_close(one * 0.5, other)
    slope = one[:, 0].diff(dim=2).mean((1, 2))
    assert 0 < (slope < 0).float().mean() < 1  # some are mirrored
    torch.testing.assert_close(slope.abs(), torch.full((16,), 2 / 31 / 1.2), rtol=1e-3, atol=1e-4)
    assert one.abs().max() <= 1  # never beyond the edge
    assert jitter(where, enlarge=0.0, mirror=False)[0] is where


def test_patch_nce_of_chance_and_of_a_match() -> None:
    """ln 256 + (sigma / tau)^2 / 2 for random unit features of size 256: 5.94."""
    torch.manual_seed(0)
    q, k = (nn.functional.normalize(torch.randn(8, 256, 256), dim=2) for _ in range(2))
    assert abs(float(losses.patch_nce(q, k, 0.07)) - 5.94) < 0.06
    assert losses.patch_nce(q, q, 0.07) < 1e-3
    # the other images of a batch are no negatives
    together = losses.patch_nce(q, k, 0.07)
    apart = torch.stack([losses.patch_nce(a[None], b[None], 0.07) for a, b in zip(q, k)]).mean()
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("down", [0, 1, 2, 3])
@pytest.mark.parametrize("antialias", [False, True])
def test_translators_halve_as_often_as_they_are_told(down: int, antialias: bool) -> None:
    net = ResnetTranslator(4, 3, DataSpec(3, 32, 32), down=down, antialias=antialias)
    x = torch.rand(2, 3, 32, 32)
    assert net(x).shape == x.shape
    assert net.encoder(x).shape == (2, 4 << down, 32 >> down, 32 >> down)
    found = [layer.shape[1] for layer in net.encoder.features(x)]
    assert found == [3, *(8 << i for i in range(down)), *[4 << down] * 2]
    with pytest.raises(UserError, match="multiples"):
        ResnetTranslator(4, 3, DataSpec(3, 2, 2), down=down)


@pytest.mark.parametrize("name", ["cyclegan", "cut", "fastcut", "unit"])
def test_small_images_are_not_shrunk_away(name: str) -> None:
    kind = registry.load(name)
    assert kind.preset(DataSpec(3, 32, 32))["down"] == 1
    assert "down" not in kind.preset(DataSpec(3, 64, 64))
    asked: dict[str, Any] = {"width": 4, "down": 1}
    gan = kind(kind.hparams(**asked), DataSpec(3, 18, 18))  # of which only the half is whole
    assert getattr(gan, "multiple") == 2  # noqa: B009  a capability, not a member of every GAN


TRANSLATORS = [name for name in registry.names() if issubclass(registry.load(name), Translator)]


@pytest.mark.parametrize("name", TRANSLATORS)
def test_defaults_are_the_papers_and_the_quick_preset_is_small(name: str) -> None:
    kind = registry.load(name)
    paper, quick = kind.hparams(), kind.hparams(**kind.preset(DataSpec(3, 64, 64)))
    assert getattr(paper, "width") == 64  # noqa: B009  of translators alone
    assert getattr(paper, "blocks", 9) == (3 if name == "unit" else 9)
    assert paper.batch == (64 if name == "discogan" else 1)
    assert paper.kimg >= 200
    assert paper.ema_kimg <= paper.kimg / 20
    cut = {"width": 16, "mirror": False, "enlarge": 0.0}
    assert vars(quick).items() >= cut.items()
    assert quick.kimg <= 100


@pytest.mark.parametrize("side", [16, 64, 256])
def test_a_d_that_blurs_has_the_same_weights_and_logits_as_many(side: int) -> None:
    spec = DataSpec(3, side, side)
    plain, blurred = PatchGAN(4, 3, spec), PatchGAN(4, 3, spec, antialias=True)
    x = torch.rand(2, 3, side, side)
    assert plain(x).shape == blurred(x).shape
    assert [p.shape for p in plain.parameters()] == [p.shape for p in blurred.parameters()]
    halves = sum(isinstance(m, nn.Conv2d) and m.stride == (2, 2) for m in plain.modules())
    assert sum(isinstance(m, Blur) for m in blurred.modules()) == halves > 0
    assert not any(isinstance(m, nn.Conv2d) and m.stride != (1, 1) for m in blurred.modules())


@pytest.mark.parametrize(("height", "width", "scales"), [(64, 64, 3), (16, 40, 3), (8, 8, 2), (4, 4, 1)])
def test_d_of_unit_judges_three_scales_without_a_norm(height: int, width: int, scales: int) -> None:
    D = Scales(4, 3, DataSpec(3, height, width))
    x = torch.rand(5, 3, height, width)
    found = D(x)
    assert len(found) == scales
    assert not any(isinstance(m, InstanceNorm2d) for m in D.modules())
    for one, alone in zip(found, D(x[:1])):
        torch.testing.assert_close(one[:1], alone)
    for one, half in zip(found, D(x / 2)):  # a norm would take contrast out
        assert not torch.allclose(one, half, atol=1e-4)


def test_weights_of_cut_have_glorots_scale() -> None:
    kind = registry.load("cut")
    asked: dict[str, Any] = {"width": 16, "blocks": 2}
    gan = kind(kind.hparams(**asked), DataSpec(3, 32, 32))
    for m in gan.modules():
        if isinstance(m, nn.Conv2d | nn.Linear) and m.weight.numel() > 4000:
            fans = (m.weight.shape[0] + m.weight.shape[1]) * m.weight[0, 0].numel()
            assert m.weight.std().item() == pytest.approx(0.02 * (2 / fans) ** 0.5, rel=0.1)
