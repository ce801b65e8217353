"""CoGAN: Liu and Tuzel 2016, "Coupled Generative Adversarial Networks", arXiv:1606.07536."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.spec import DataSpec
from gancli.families.latents import FromLatents, SizeHParams
from gancli.families.noise import ON_SMALL
from gancli.gan import Clock, Turn
from gancli.hparams import AdamHParams, hparam
from gancli.nets import coupled
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(SizeHParams, AdamHParams):
    """Section 4: on digits, all layers but the one next to the image are shared."""

    kimg: float = 5000.0
    width: int = hparam(
        64, "channels at half the image's resolution; they double at each halving, up to 8 times", min=1
    )
    own_layers: int = hparam(
        1, "layers that each domain has of its own: the last of each G, the first of each D", min=1
    )


class CoGAN(FromLatents[HParams]):
    """Two GANs that share the layers where meaning is made learn pairs, though they never see one (section 3)."""

    purpose = "new pairs of images, learned without pairs"
    hparams = HParams
    data = Unpaired
    builtin = "shapes-mono"
    judges = ("D",)
    adversarial = losses.NONSATURATING

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = coupled.Generators(hp.z_dim, hp.width, hp.own_layers, spec)
        self.D = coupled.Discriminators(hp.width, hp.own_layers, spec)

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return what trains in minutes on one core."""
        del spec
        return {**ON_SMALL, "kimg": 250.0}

    def players(self) -> Mapping[str, Optimizer]:
        """The Gs are one player, the Ds another; a shared weight moves once."""
        return {"D": self.adam(self.D), "G": self.adam(self.G)}

    def play(self, batch: Unpaired, clock: Clock) -> Iterator[Turn]:
        """Algorithm 1: both games at once, on one z."""
        del clock
        with torch.no_grad():
            fake = self.pair(self.prior(len(batch)))
        games = zip("ab", self.D(batch.a, batch.b), self.D(*fake))
        yield Turn("D", {domain: self.adversarial.d(real, fake) for domain, real, fake in games})
        judged = self.D(*self.pair(self.prior(len(batch))))
        yield Turn("G", {domain: self.adversarial.g(fake) for domain, fake in zip("ab", judged)})

    def pair(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Draw images of both domains from the same latents."""
        a, b = self.G(z)
        return a.float(), b.float()

    def generate(self, z: Tensor) -> Tensor:
        """Draw pairs side by side (N, C, H, 2W)."""
        return torch.cat(self.pair(z), 3)

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """How real D takes the two of each pair for: the sum of both logits."""
        del z
        return torch.stack(self.D(*image.chunk(2, 3))).sum(0)

    def fakes(self, batch: Unpaired) -> Tensor:
        """Images of the second domain, as many as the batch holds: scores compare with its real ones, as everywhere."""
        return self.pair(self.prior(len(batch)))[1]

    def panels(self, batch: Unpaired) -> list[Tensor]:
        """Below each image of the first domain, its counterpart in the second."""
        return list(self.pair(self.prior(len(batch))))

    def panel_names(self) -> tuple[str, ...]:
        """Name these rows: the domains."""
        return self.spec.domains
