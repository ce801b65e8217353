"""DiscoGAN: Kim et al. 2017, "Learning to Discover Cross-Domain Relations with GANs", arXiv:1703.05192."""

from collections.abc import Iterator
from dataclasses import InitVar, dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from gancli.data.kinds.unpaired import Unpaired
from gancli.families.translators import QUICK, TranslatorAdamHParams
from gancli.families.unpaired import TwoWay
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import bottleneck, dcgan
from gancli.ops import losses
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(TranslatorAdamHParams):
    """The authors' code, at 64 pixels; --warmup is about its 10,000 steps. Nothing there crops or mirrors images."""

    batch: int = 64
    kimg: float = 2000.0
    decay: float = 0.0
    enlarge: float = 0.0
    mirror: bool = False
    weight_decay: float = 1e-5
    adversarial: float = hparam(0.1, "weight of fooling D; the rest of 1 goes to matching its features", min=0, max=1)
    recon: float = hparam(0.5, "share of the loss that is the round trip's, once training is under way", min=0, max=1)
    recon_start: float = hparam(0.01, "that share in the first --warmup of training", min=0, max=1)
    warmup: float = hparam(0.3, "share of training with --recon-start", min=0, max=1)
    layers: InitVar[int | None] = None  # pyright: ignore  no option, as D judges whole images; older runs name it
    d_every: int = hparam(3, "steps for each turn of D; the code gives G the two between, here it has all", min=1)

    def __post_init__(self, layers: int | None) -> None:  # pyright: ignore
        del layers
        super().__post_init__()


class DiscoGAN(TwoWay[HParams]):
    """A relation that goes both ways one to one is found without pairs: each round trip must return (section 2.2)."""

    purpose = "translating A to B and back, with changes of shape"
    hparams = HParams
    least_batch = 2  # a batch norm sees one value an image
    quick: ClassVar = {**QUICK, "batch": 32, "kimg": 100.0, "weight_decay": 0.0}

    def translator(self) -> nn.Module:
        """Encoder and decoder around a narrow code."""
        net = bottleneck.Bottleneck(self.hp.width, self.spec)
        self.multiple = 1 << dcgan.stages(self.spec)
        return net

    def discriminator(self) -> nn.Module:
        """DCGAN's, which judges whole images and whose features are matched."""
        return dcgan.Discriminator(self.hp.width, self.spec)

    def mixes(self) -> tuple[str, ...]:
        """G matches mean features."""
        return (*super().mixes(), "feature matching")

    def play(self, batch: Unpaired, clock: Clock) -> Iterator[Turn]:
        """D now and then, G always."""
        hp, adv, (a, b) = self.hp, losses.NONSATURATING, self.cut(batch)
        fake_b, fake_a = self.translate(a, "AB"), self.translate(b, "BA")
        if clock.opens(hp.d_every):  # from the first step on, as in the authors' code
            d_a, d_b = (adv.d(D(x), D(y.detach())) for D, x, y in ((self.DA, a, fake_a), (self.DB, b, fake_b)))
            yield Turn("D", {"a": d_a, "b": d_b})
        recon = mse_loss(self.translate(fake_b, "BA"), a) + mse_loss(self.translate(fake_a, "AB"), b)
        fooled = adv.g(self.DA(fake_a)) + adv.g(self.DB(fake_b))
        matched = _mismatch(self.DA, a, fake_a) + _mismatch(self.DB, b, fake_b)
        share = hp.recon_start if clock.progress < hp.warmup else hp.recon
        adversarial, features = (1 - share) * hp.adversarial, (1 - share) * (1 - hp.adversarial)
        yield Turn("G", {"adversarial": adversarial * fooled, "features": features * matched, "recon": share * recon})


def _mismatch(D: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """How far the mean features of D's inner layers are apart, over the whole batch (Salimans et al. 2016)."""
    gaps = [
        dist.mean_of_rows(x.float() - y.float()).square().mean() for x, y in zip(_features(D, real), _features(D, fake))
    ]
    return torch.stack(gaps).sum()


def _features(D: nn.Module, x: Tensor) -> list[Tensor]:
    """What comes out of each activation but the first."""
    found = []
    assert isinstance(D, dcgan.Discriminator)
    for layer in D.trunk:
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            found.append(x)
    return found[1:] or found
