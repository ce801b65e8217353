"""The relativistic family: D says whether one image looks more real than another."""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.noise import NoiseHParams, NoiseToImage


class Relativistic(NoiseToImage[NoiseHParams]):
    """D raises reals above fakes; G plays the same game with the sides swapped, so its loss has the reals in it too."""

    hparams = NoiseHParams
    contrast: ClassVar[Callable[[Tensor, Tensor], Tensor]]  # small when the first logits are above the second

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Reals above fakes."""
        return {"adversarial": type(self).contrast(self.D(real), self.D(fake))}

    def g_objective(self, batch: Images) -> dict[str, Tensor]:
        """Fakes above reals."""
        fake = self.generate(self.prior(len(batch)))
        return {"adversarial": type(self).contrast(self.D(fake), self.D(batch.image))}
