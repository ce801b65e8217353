"""The family whose D is an auto-encoder: what it cannot reconstruct, it takes for a fake."""

from typing import ClassVar

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.noise import H, NoiseToImage
from gancli.nets import autoencoder


class Energetic(NoiseToImage[H]):
    """D's reconstructions are its judgement, so the grids of a run show them."""

    served: ClassVar[tuple[str, ...]] = ("G", "D")
    D: autoencoder.AutoEncoder

    def panels(self, batch: Images) -> list[Tensor]:
        """Reals, what D makes of them, and fakes, and what it makes of those."""
        fake = self.fakes(batch)
        return [batch.image, self.D(batch.image), fake, self.D(fake)]
