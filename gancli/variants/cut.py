"""CUT: Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", arXiv:2007.15651."""

from torch import Tensor

from gancli.families.contrastive import ContrastiveHParams, OneWay
from gancli.families.translators import halves


class CUT(OneWay):
    """Patches of a fake are found again in its source, and B's images are left as they are (section 3, eq. 5)."""

    purpose = "translating A to B, patch by patch"
    hparams = ContrastiveHParams

    def draw(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Fake and identity in one pass."""
        fake, same = halves(self.G, a, b)
        return {"fake": fake, "same": same}

    def content_terms(self, a: Tensor, b: Tensor, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """Both at half the weight, as in the authors' code."""
        features = self.G.encoder.features
        weight = self.hp.nce / 2
        return {
            "nce": weight * self.nce(a, features(drawn["fake"])),
            "identity": weight * self.nce(b, features(drawn["same"])),
        }
