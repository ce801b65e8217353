"""CC-GAN: Denton et al. 2017, "Semi-Supervised Learning with Context-Conditional GANs", arXiv:1611.06430."""

from collections.abc import Iterator

from gancli import masks
from gancli.data.images import Images
from gancli.gan import Clock, Turn
from gancli.variants._holes import FillsHoles, SquareHParams


class CCGAN(FillsHoles[SquareHParams]):
    """D sees a filling pasted into its image, so it must fit what is around; no pixel is compared (section 3)."""

    hparams = SquareHParams

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Eq. 2, without the classes: D, then G, both on pasted images."""
        del clock
        image = batch.image
        mask = self.hole(image)
        fake = masks.paste(image, mask, self.draw(image, mask))
        yield Turn("D", {"adversarial": self.adversarial.d(self.D(image), self.D(fake.detach()))})
        yield Turn("G", {"adversarial": self.adversarial.g(self.D(fake))})
