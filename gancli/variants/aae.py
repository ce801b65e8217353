"""AAE: Makhzani et al. 2015, "Adversarial Autoencoders", arXiv:1511.05644."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.aae import Regularised
from gancli.families.codes import CodeHParams
from gancli.hparams import hparam
from gancli.ops import priors
from gancli.system import dist

PLANAR = {"mixture": priors.mixture, "swissroll": priors.swissroll}


@dataclass(frozen=True, kw_only=True)
class HParams(CodeHParams):
    """The latent of the paper's figures; the paper steps with SGD and momentum, at a rate for each data set."""

    lr: float = 1e-3
    z_dim: int = 2
    prior: Literal["gaussian", "mixture", "swissroll"] = hparam(
        "gaussian", "p(z) of section 2: N(0, I); or in the plane, ten Gaussians in a ring or a spiral"
    )


class AAE(Regularised[HParams]):
    """An autoencoder whose codes an adversary makes follow the prior; it never sees an image (section 2)."""

    purpose = "codes of images, with a prior that can be sampled"
    hparams = HParams

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        if hp.prior in PLANAR and hp.z_dim != 2:
            raise UserError(f"--prior {hp.prior} lies in a plane: it needs --z-dim 2, not {hp.z_dim}")

    def prior(self, n: int) -> Tensor:
        """Draw from the prior that was chosen."""
        if self.hp.prior == "gaussian":
            return super().prior(n)
        return dist.rows(lambda rows: PLANAR[self.hp.prior](rows, self.device), n)
