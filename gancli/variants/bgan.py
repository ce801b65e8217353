"""BGAN: Hjelm et al. 2018, "Boundary-Seeking Generative Adversarial Networks", arXiv:1702.08431."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.noise import LatentHParams, NoiseToImage, SlopeHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import mlp
from gancli.nets.layers.norms import BatchNorm1d
from gancli.optim import RMSprop
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(LatentHParams, SlopeHParams):
    """The authors' code for discrete images, but with fully connected networks."""

    lr: float = 1e-4
    width: int = hparam(256, "units of each hidden layer", min=1)
    depth: int = hparam(2, "hidden layers of each network", min=1, max=8)
    levels: int = hparam(2, "values of a pixel: 2 binary, more categorical, 0 continuous", min=0, max=256)
    draws: int = hparam(20, "images drawn for each z, M in eq. 10; unused for continuous ones", min=2)


class BGAN(NoiseToImage[HParams]):
    """D's odds weigh what G draws, and G's likelihood follows the weights: no gradient need pass a pixel (eq. 10)."""

    purpose = "new images of discrete pixels"
    hparams = HParams
    on_small: ClassVar = {"lr": 1e-3, "z_dim": 16, "kimg": 200.0}
    builtin, least_batch = "bars-and-stripes", 2  # a batch norm sees one value an image

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        if hp.levels == 1:
            raise UserError("--levels 1 leaves nothing to draw: 2 or more, or 0 for continuous images")
        super().__init__(hp, spec)

    def generator(self) -> nn.Module:
        """Log-odds of each level of each pixel, (N, L * C, H, W); or the image itself."""
        hp, spec, hidden = self.hp, self.spec, [self.hp.width] * self.hp.depth
        if not hp.levels:
            return mlp.Generator(hp.z_dim, hidden, spec, BatchNorm1d)
        outputs = DataSpec(hp.levels * spec.channels, spec.height, spec.width)
        # the norm spreads the latents: without it all begin with the same odds, and go the same few ways
        return mlp.Generator(hp.z_dim, hidden, outputs, BatchNorm1d, end=nn.Identity())

    def discriminator(self) -> nn.Module:
        """Fully connected."""
        return mlp.Discriminator([self.hp.width] * self.hp.depth, self.spec)

    def players(self) -> Mapping[str, Optimizer]:
        """RMSprop, as in the authors' code."""
        return {"D": RMSprop(self.D.parameters(), self.hp.lr), "G": RMSprop(self.G.parameters(), self.g_lr)}

    def prior(self, n: int) -> Tensor:
        """Draw z, and one number more a pixel, which decides what is drawn from its odds: all from N(0, I)."""
        pixels = self.spec.channels * self.spec.height * self.spec.width if self.hp.levels else 0
        return dist.rows(lambda rows: torch.randn(rows, self.hp.z_dim + pixels, device=self.device), n)

    def generate(self, z: Tensor) -> Tensor:
        """Draw images from latents; where pixels are discrete, these are exactly levels from -1 to 1."""
        z, noise = z.tensor_split([self.hp.z_dim], 1)
        if not self.hp.levels:
            return super().generate(z)
        uniform = torch.special.ndtr(noise).unflatten(1, self.shape)
        return self.pixels(drawn(self.log_odds(z), uniform))

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W."""
        return self.spec.channels, self.spec.height, self.spec.width

    def log_odds(self, z: Tensor) -> Tensor:
        """log g(level | z), normalised: (N, L, C, H, W)."""
        return self.G(z).float().unflatten(1, (self.hp.levels, -1)).log_softmax(1)

    def pixels(self, level: Tensor) -> Tensor:
        """Levels 0 to L - 1 to [-1, 1]."""
        return level.float() * (2 / (self.hp.levels - 1)) - 1

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Algorithm 1; D sees data with as many levels as G draws."""
        real, top = batch.image, self.hp.levels - 1
        if top > 0:
            real = self.pixels(((real + 1) * (top / 2)).round())
        yield from super().play(Images(real), clock)

    def g_terms(self, fake: Tensor) -> dict[str, Tensor]:
        """Continuous: to D's boundary, half the squared logit (eq. 12). Discrete: the weighted likelihood."""
        if not self.hp.levels:
            return {"boundary": self.D(fake).float().square().mean() / 2}
        z = self.prior(len(fake))[:, : self.hp.z_dim]
        log_odds = self.log_odds(z)
        size = self.hp.draws, *self.shape
        noise = dist.rows(lambda n: torch.rand(n, *size, device=self.device), len(z))
        with torch.no_grad():
            level = drawn(log_odds[:, None], noise, dim=2)  # (N, M, C, H, W)
            logits = self.D(self.pixels(level).flatten(0, 1)).unflatten(0, (-1, self.hp.draws))
        likelihood = log_odds[:, None].expand(-1, self.hp.draws, -1, -1, -1, -1).gather(2, level[:, :, None])
        return {"boundary": -(weights(logits) * likelihood.flatten(2).sum(2)).sum(1).mean()}


def drawn(log_odds: Tensor, uniform: Tensor, dim: int = 1) -> Tensor:
    """Draw levels by inverting their distribution along `dim`, one uniform number each."""
    below = log_odds.exp().cumsum(dim).narrow(dim, 0, log_odds.shape[dim] - 1)
    return (uniform.unsqueeze(dim) > below).sum(dim)


def weights(logits: Tensor) -> Tensor:
    """Normalise D's odds of the draws of each z, (N, M): they sum to one, and no gradient passes them (eq. 9)."""
    return logits.detach().float().softmax(1)
