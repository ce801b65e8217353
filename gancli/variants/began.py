"""BEGAN: Berthelot et al. 2017, "BEGAN: Boundary Equilibrium Generative Adversarial Networks", arXiv:1703.10717."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.energy import Energetic
from gancli.families.noise import NoiseHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import autoencoder, mlp
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(NoiseHParams):
    """Section 4.1; z is N(0, I) here, which walks and truncation go by, not uniform.

    Rates fall with time, not where training stalls: that a resumed run does alike.
    """

    batch: int = 16
    lr: float = 1e-4
    decay: float = 0.5
    z_dim: int = 64
    width: int = hparam(
        16, "filters of every convolution, n; for points: half the units of each hidden layer", min=1
    )  # the paper has 64 at 32 pixels
    code: int = hparam(64, "size of the code h of D's auto-encoder", min=1)
    gamma: float = hparam(0.5, "share of the reals' error that fakes are let have, eq. 12: less is less varied", min=0)
    k_rate: float = hparam(1e-3, "step of the controller, lambda_k in eq. 13", min=0)


class BEGAN(Energetic[HParams]):
    """D is an auto-encoder; k holds the balance between the errors of reals and fakes (section 3.3, eq. 13)."""

    purpose = "new images; smooth ones, for D is an autoencoder"
    hparams = HParams
    builtin = "digits"
    # in minutes, D learns so much faster than G that with the paper's gamma and k_rate k stays 0, and fakes are alike
    on_small: ClassVar = {"lr": 5e-4, "beta1": 0.0, "gamma": 0.9, "k_rate": 0.05, "kimg": 50.0, "decay": 0.0}
    on_points: ClassVar = {**Energetic.on_points, "decay": 0.0}
    k: Tensor  # ()

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.register_buffer("k", torch.zeros(()))

    def generator(self) -> nn.Module:
        """D's decoder, with weights of its own; the paper's ends without tanh too, here all images stay in [-1, 1]."""
        if self.spec.points:
            return mlp.Generator(self.hp.z_dim, self.hp.units, self.spec)
        return autoencoder.Decoder(self.hp.z_dim, self.hp.width, self.spec, nn.Tanh())

    def discriminator(self) -> nn.Module:
        """An auto-encoder."""
        hp = self.hp
        if self.spec.points:
            return autoencoder.connected(hp.code, hp.units, self.spec)
        decoder = autoencoder.Decoder(hp.code, hp.width, self.spec, nn.Identity())
        return autoencoder.AutoEncoder(autoencoder.Encoder(hp.code, hp.width, self.spec), decoder)

    def errors(self, x: Tensor) -> Tensor:
        """L(x): mean absolute error of the reconstruction of each image, (N,)."""
        x = self.seen(x)
        return (x - self.D(x)).abs().flatten(1).mean(1)

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """D rebuilds data best: minus L(x) of each image."""
        del z
        return -(image - self.D(image)).abs().flatten(1).mean(1)

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Eq. 13, and the convergence measure of section 3.4 as a statistic."""
        with torch.no_grad():
            fake = self.generate(self.prior(len(batch)))
        real_error, fake_error = self.errors(batch.image).mean(), self.errors(fake).mean()
        balance = self.hp.gamma * real_error - fake_error
        stats = {
            "k": self.k,
            "balance": balance,
            "convergence": real_error + balance.abs(),
            "ratio": fake_error / real_error,
        }
        slopes = self.slopes(self.errors, batch.image, fake, clock)
        yield Turn("D", {"real": real_error, "fake": -self.k * fake_error, **slopes}, stats)
        if clock.every(self.hp.n_critic):
            fake_error = self.errors(self.generate(self.prior(len(batch)))).mean()
            yield Turn("G", {"adversarial": fake_error})

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Move k by what D's turn found (eq. 13, last line)."""
        if player == "D":
            self.k.add_(self.hp.k_rate * dist.mean_over_ranks(means["balance"])).clamp_(0, 1)
