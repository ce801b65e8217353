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

    def augment_before(self) -> None:
        """Put nothing before D: it must reconstruct the same augmented image that it was given (`seen`)."""

    def seen(self, x: Tensor) -> Tensor:
        """Return images as D is given them: augmented in training."""
        return self.augmentation(x) if self.training else x

    def panels(self, batch: Images) -> list[Tensor]:
        """Return real images, D's reconstructions of them, fakes, and D's reconstructions of these."""
        fake = self.fakes(batch)
        return [batch.image, self.D(batch.image), fake, self.D(fake)]

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel."""
        return "image", "reconstruction", "sample", "reconstruction"
