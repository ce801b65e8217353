"""Relativistic GANs: D estimates whether one image looks more real than another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.noise import ConvHParams, NoiseToImage
from gancli.hparams import hparam
from gancli.nets import dcgan

SMALL = 32  # pixels per side; at 64, the learning rate for them diverged: docs/quick.md
ABOVE: Mapping[str, Any] = {"lr": 1e-3}  # what changes in the quick preset for larger images


@dataclass(frozen=True, kw_only=True)
class RelativisticHParams(ConvHParams):
    """Hyperparameters of every variant of the family."""

    stddev: bool = hparam(False, "show D how much the images of a batch differ (Karras et al. 2018, section 3)")


class Relativistic(NoiseToImage[RelativisticHParams]):
    """D scores real images above fakes; G minimises the same loss with both swapped, so it uses real images too."""

    hparams = RelativisticHParams
    on_small: ClassVar = {
        **NoiseToImage.on_small, "r2": 1.0, "penalty_every": 8, "g_norm": "none", "mapping": 2, "stddev": True,
        "z_dim": 12, "kimg": 250.0, "lr": 2e-3,
    }  # fmt: skip
    contrast: ClassVar[Callable[[Tensor, Tensor], Tensor]]  # small when the first logits are above the second

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset; larger images get a lower learning rate."""
        return {**super().preset(spec), **(ABOVE if max(spec.height, spec.width) > SMALL else {})}

    def discriminator(self) -> nn.Module:
        """Build D: (N, C, H, W) -> logits (N,)."""
        if self.spec.points:
            return super().discriminator()
        return dcgan.Discriminator(self.hp.width, self.spec, self.d_norm, stddev=self.hp.stddev)

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss that scores real images above fakes."""
        return {"adversarial": type(self).contrast(*self.judge_both(real, fake))}

    def g_objective(self, batch: Images) -> dict[str, Tensor]:
        """Return the loss that scores fakes above real images."""
        with torch.no_grad():
            real = self.D(batch.image)
        return {"adversarial": type(self).contrast(self.D(self.generate(self.prior(len(batch)))), real)}
