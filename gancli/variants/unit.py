"""UNIT: Liu et al. 2017, "Unsupervised Image-to-Image Translation Networks", arXiv:1703.00848."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import Optimizer

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.families.translators import QUICK, ResnetHParams, fooled, told_apart
from gancli.families.unpaired import BothWays, cut
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import resnet_translator
from gancli.nets.patchgan import Scales
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(ResnetHParams):
    """The authors' code, but its rates halve every 100,000 steps: here they fall at the end, however long that is.

    Weights are a tenth of the paper's (whose ratios are the same).
    """

    lr: float = 1e-4
    weight_decay: float = 1e-4
    blocks: int = hparam(3, "residual blocks of a domain's own in each encoder and decoder", min=0, max=24)
    recon: float = hparam(10.0, "weight of an image's own reconstruction, lambda_2 in eq. 3", min=0)
    kl: float = hparam(0.01, "weight of the codes' distance from N(0, I), lambda_1 in eq. 3", min=0)
    cycle: float = hparam(10.0, "weight of what a round trip must bring back, lambda_4 in eq. 6", min=0)
    cycle_kl: float = hparam(0.01, "the same as --kl for the codes of fakes, lambda_3 in eq. 6", min=0)


class UNIT(BothWays[HParams]):
    """Both domains share one latent space: the last layer of the encoders and the first of the decoders (section 3)."""

    purpose = "translating A to B and back, by a shared latent"
    hparams = HParams
    quick: ClassVar = {**QUICK, "blocks": 2, "lr": 2e-4, "weight_decay": 0.0}
    on_small: ClassVar = {"down": 1, "layers": 2, "lr": 1e-3}
    served = ("EA", "EB", "E", "S", "GA", "GB")

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        resnet_translator.check_size(spec, hp.down)
        self.multiple = 1 << hp.down
        c, w, n, down = spec.channels, hp.width, hp.blocks, hp.down
        self.EA, self.EB = (resnet_translator.Encoder(c, w, n, down=down) for _ in "AB")
        self.E, self.S = resnet_translator.Block(w << down), resnet_translator.Block(w << down)
        self.GA, self.GB = (resnet_translator.Decoder(c, w, n, down=down) for _ in "AB")
        for network in (getattr(self, name) for name in self.served):
            network.apply(resnet_translator.initialise)
        self.DA, self.DB = (Scales(w, hp.layers, spec) for _ in "AB")

    def players(self) -> Mapping[str, Optimizer]:
        """Encoders and decoders are one player, both D's the other."""
        return {"D": self.adam(self.DA, self.DB), "G": self.adam(*(getattr(self, name) for name in self.served))}

    def play(self, batch: Unpaired, clock: Clock) -> Iterator[Turn]:
        """D's, then everything else, on one pair of fakes."""
        del clock
        hp, (a, b) = self.hp, cut(batch, self.hp)
        code_a, code_b = self.code(self.EA, a), self.code(self.EB, b)
        z_a, z_b = self.noisy(code_a), self.noisy(code_b)
        fake_a, fake_b = self.decode(self.GA, z_b), self.decode(self.GB, z_a)
        yield Turn("D", {"a": told_apart(self.DA, a, fake_a.detach()), "b": told_apart(self.DB, b, fake_b.detach())})
        again_a, again_b = self.code(self.EB, fake_b), self.code(self.EA, fake_a)
        back_a, back_b = self.decode(self.GA, self.noisy(again_a)), self.decode(self.GB, self.noisy(again_b))
        same_a, same_b = self.decode(self.GA, z_a), self.decode(self.GB, z_b)
        yield Turn("G", {
            "adversarial": fooled(self.DA, fake_a) + fooled(self.DB, fake_b),
            "recon": hp.recon * (l1_loss(same_a, a) + l1_loss(same_b, b)),
            "kl": hp.kl * (code_a.square().mean() + code_b.square().mean()),  # unit variance leaves the mean's square
            "cycle": hp.cycle * (l1_loss(back_a, a) + l1_loss(back_b, b)),
            "cycle_kl": hp.cycle_kl * (again_a.square().mean() + again_b.square().mean()),
        })  # fmt: skip

    def code(self, encoder: nn.Module, x: Tensor) -> Tensor:
        """The mean of q(z | x), in the space that both domains share."""
        return self.E(encoder(x)).float()

    def noisy(self, code: Tensor) -> Tensor:
        """Draw z from N(code, I); in training only."""
        if not self.training:
            return code
        return code + dist.rows(lambda n: torch.randn(n, *code.shape[1:], device=code.device), len(code))

    def decode(self, decoder: nn.Module, z: Tensor) -> Tensor:
        """Draw a code's image in the decoder's domain."""
        return decoder(self.S(z)).float()

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Encode in one domain, decode in the other, without noise."""
        encoder, decoder = (self.EA, self.GB) if direction == "AB" else (self.EB, self.GA)
        return self.decode(decoder, self.code(encoder, image))
