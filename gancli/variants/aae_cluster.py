"""AAE, clustering: Makhzani et al. 2015, "Adversarial Autoencoders", arXiv:1511.05644, section 6."""

from dataclasses import dataclass

from torch import Tensor

from gancli.families.aae import Regularised
from gancli.families.codes import CodeHParams
from gancli.families.latents import FromLabels
from gancli.hparams import hparam


@dataclass(frozen=True, kw_only=True)
class HParams(CodeHParams):
    """The latent: z_dim numbers for the style, and the cluster."""

    z_dim: int = 2
    lr: float = 1e-3
    kimg: float = 100
    clusters: int = hparam(16, "clusters that images are put into (section 6)", min=2)


class AAECluster(FromLabels[HParams], Regularised[HParams]):
    """Without a label, a category that looks like one puts images into clusters, and the style tells the rest (6)."""

    purpose = "clusters of images, found without labels"
    hparams = HParams

    @property
    def classes(self) -> tuple[str, ...]:
        """The clusters by number: what each holds is only known from its images."""
        return tuple(map(str, range(self.categories)))

    @property
    def categories(self) -> int:
        """One for each cluster."""
        return self.hp.clusters

    def classify(self, image: Tensor) -> Tensor:
        """Give the logits of the clusters (N, K)."""
        return self.read(image)[1]
