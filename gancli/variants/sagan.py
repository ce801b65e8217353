"""SAGAN: Zhang et al. 2019, "Self-Attention Generative Adversarial Networks", arXiv:1805.08318."""

from dataclasses import dataclass
from typing import ClassVar

from gancli.families.high_fidelity.projection import Projection, ProjectionHParams
from gancli.nets.layers import spectral
from gancli.nets.layers.conditional_norm import ConditionalBatchNorm2d


@dataclass(frozen=True, kw_only=True)
class HParams(ProjectionHParams):
    """The authors' setting for ImageNet at 128 pixels: a million steps, in which D learns four times as fast as G."""

    attention: int = 32
    batch: int = 256
    lr: float = 4e-4
    g_lr: float | None = 1e-4  # two time scales (section 3.3)
    beta2: float = 0.9
    kimg: float = 256000.0


class SAGAN(Projection[HParams]):
    """Each position of the feature maps sees all others, in both networks, and both are under spectral norm."""

    purpose = "images of a chosen class; distant parts agree"
    hparams = HParams
    on_small: ClassVar = {**Projection.on_small, "attention": 16}

    def normalise(self) -> None:
        """Put both networks under spectral norm (section 3.2), but not the tables of G's conditional norms."""
        super().normalise()
        spectral.normalise(self.G, [part for part in self.G.modules() if isinstance(part, ConditionalBatchNorm2d)])
