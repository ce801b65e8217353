"""GANs whose D is an autoencoder: a large reconstruction error marks a fake."""

from typing import ClassVar

from torch import Tensor

from gancli.data.kinds.images import Images
from gancli.families.noise import H, NoiseToImage
from gancli.nets import autoencoder


class Energetic(NoiseToImage[H]):
    """D judges by reconstruction, so sample grids also show its reconstructions."""

    served: ClassVar[tuple[str, ...]] = ("G", "D")
    D: autoencoder.AutoEncoder

    def panels(self, batch: Images) -> list[Tensor]:
        """Return real images, D's reconstructions of them, fakes, and D's reconstructions of these."""
        fake = self.fakes(batch)
        return [batch.image, self.D(batch.image), fake, self.D(fake)]
