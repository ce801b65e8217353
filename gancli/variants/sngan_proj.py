"""SNGAN-projection: Miyato and Koyama 2018, "cGANs with Projection Discriminator", arXiv:1802.05637."""

from dataclasses import dataclass

from gancli.families.high_fidelity.projection import Projection, ProjectionHParams


@dataclass(frozen=True, kw_only=True)
class HParams(ProjectionHParams):
    """The authors' setting for ImageNet at 128 pixels: 450,000 G steps, the rates fall in the last 50,000."""

    beta2: float = 0.9
    n_critic: int = 5
    kimg: float = 144000.0
    decay: float = 1 / 9


class SNGANProjection(Projection[HParams]):
    """D's logit is a part that is blind to the label plus the product of the label with the features (eq. 4)."""

    purpose = "images of a chosen class; D projects the label"
    hparams = HParams
