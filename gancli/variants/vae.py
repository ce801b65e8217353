"""VAE: Kingma and Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114. No adversary: the baseline."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.families.codes import Coded, CodeHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.ops import losses
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(CodeHParams):
    """The paper steps with Adagrad; Adam came later, by the same author."""

    z_dim: int = 20
    lr: float = 1e-3
    beta1: float = 0.9
    sigma: float = hparam(
        0.3, "standard deviation of a pixel around its mean, in p(x|z) of appendix C.2; less: closer to the source",
        min=0.001,
    )  # fmt: skip


class VAE(Coded[HParams]):
    """E gives a distribution of codes, and both networks raise one lower bound of the likelihood (eq. 10)."""

    purpose = "codes of images; no adversary, the baseline"
    hparams = HParams
    codes = 2  # mean and log variance

    def players(self) -> Mapping[str, Optimizer]:
        """One player: no one plays against it."""
        return {"G": self.adam(self.G, self.E)}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Algorithm 1, with one draw of the code for each image."""
        del clock
        mean, logvar = self.posterior(batch.image)
        noise = dist.rows(lambda n: torch.randn(n, self.hp.z_dim, device=self.device), len(batch))
        drawn = self.generate(mean + (logvar / 2).exp() * noise)  # eq. 10: the noise is outside of what is learnt
        error = (drawn - batch.image).square().flatten(1).sum(1).mean()
        terms = {"reconstruction": error / (2 * self.hp.sigma**2), "kl": losses.kl_from_standard_normal(mean, logvar)}
        yield Turn("G", terms, {"mse": error / batch.image[0].numel()})

    def posterior(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each (N, Z)."""
        mean, logvar = self.E(image).float().chunk(2, 1)
        return mean, logvar

    def encode(self, image: Tensor) -> Tensor:
        """Give the mean of q(z|x)."""
        return self.posterior(image)[0]
