"""Relativistic GANs: D estimates whether one image looks more real than another."""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.noise import ConvHParams, NoiseToImage


class Relativistic(NoiseToImage[ConvHParams]):
    """D scores real images above fakes; G minimises the same loss with both swapped, so it uses real images too."""

    hparams = ConvHParams
    contrast: ClassVar[Callable[[Tensor, Tensor], Tensor]]  # small when the first logits are above the second

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the loss that scores real images above fakes."""
        return {"adversarial": type(self).contrast(self.D(real), self.D(fake))}

    def g_objective(self, batch: Images) -> dict[str, Tensor]:
        """Return the loss that scores fakes above real images."""
        fake = self.generate(self.prior(len(batch)))
        return {"adversarial": type(self).contrast(self.D(fake), self.D(batch.image))}
