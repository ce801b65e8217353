"""Relativistic GANs: D estimates whether one image looks more real than another."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.noise import ConvHParams, NoiseToImage


class Relativistic(NoiseToImage[ConvHParams]):
    """D scores real images above fakes; G minimises the same loss with both swapped, so it uses real images too."""

    hparams = ConvHParams
    on_small: ClassVar = {**NoiseToImage.on_small, "r2": 1.0}
    contrast: ClassVar[Callable[[Tensor, Tensor], Tensor]]  # small when the first logits are above the second

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss that scores real images above fakes."""
        return {"adversarial": type(self).contrast(*self.judge_both(real, fake))}

    def g_objective(self, batch: Images) -> dict[str, Tensor]:
        """Return the loss that scores fakes above real images."""
        with torch.no_grad():
            real = self.D(batch.image)
        return {"adversarial": type(self).contrast(self.D(self.generate(self.prior(len(batch)))), real)}
