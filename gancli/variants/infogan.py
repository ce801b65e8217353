"""InfoGAN: Chen et al. 2016, "InfoGAN: Interpretable Representation Learning …", arXiv:1606.03657."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.noise import ConvHParams, NoiseToImage
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import dcgan
from gancli.ops import losses
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """The MNIST setting of the authors' code. The latent's axes: z_dim of noise, the categories, the other codes."""

    z_dim: int = 62
    g_lr: float | None = 1e-3
    categories: int = hparam(10, "values of the categorical code c1 (section 7.2)", min=2)
    continuous: int = hparam(2, "continuous codes c2, c3, … in [-1, 1] (section 7.2); 0: none", min=0)
    info_weight: float = hparam(1.0, "weight of the information on the categorical code, lambda in eq. 6", min=0)
    continuous_weight: float = hparam(1.0, "weight of the information on continuous codes, lambda in eq. 6", min=0)


class InfoGAN(NoiseToImage[HParams]):
    """A head Q on D's trunk must read the codes back from the image, so that G makes them matter (eq. 5 and 6)."""

    purpose = "new images with factors found without labels"
    hparams = HParams
    least_batch = 2  # a batch norm sees one value an image
    builtin = "digits"  # on coloured shapes, G hides the codes in single pixels, where Q finds them and no eye does
    on_small: ClassVar = {"batch": 32, "kimg": 200.0, "continuous_weight": 0.1}
    served = ("G", "D", "Q")
    D: dcgan.Discriminator

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.Q = dcgan.code_head(self.D, 128, hp.categories + hp.continuous)

    def generator(self) -> nn.Module:
        """Build G: noise and codes -> images."""
        return self.convolutional(self.hp.z_dim + self.hp.categories + self.hp.continuous)

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Both sides add the information to what they maximise. No label is ever read: `Images` has none."""
        z = self.prior(len(batch))
        fake = self.generate(z)
        features = self.D.trunk(fake.detach())  # of which both heads read
        terms, stats = self.information(features, z)
        terms |= self.d_terms(batch.image, features) | self.slopes(self.D, batch.image, fake, clock)
        yield Turn("D", terms, stats)
        if clock.every(self.hp.n_critic):
            features = self.D.trunk(fake)
            yield Turn("G", self.g_terms(features) | self.information(features, z)[0])

    def judge_both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both; of fakes, the features of D's trunk are given."""
        return self.D(real), self.D.head(fake).flatten()

    def g_terms(self, fake: Tensor) -> dict[str, Tensor]:
        """Return G's adversarial term, from the features of fakes."""
        return {"adversarial": self.adversarial.g(self.D.head(fake).flatten())}

    def information(self, features: Tensor, z: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted -log Q(c|x) of the codes; and L_I of the category, which is at most H(c) = ln K (eq. 5)."""
        category, mean = self.codes(features)
        _, given, continuous = self.parts(z)
        missing = F.cross_entropy(category, given)
        terms = {"category": self.hp.info_weight * missing}
        if self.hp.continuous:
            terms["continuous"] = self.hp.continuous_weight * losses.gaussian_nll(mean, continuous)
        return terms, {"information": math.log(self.hp.categories) - missing.detach()}

    def codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Read codes from features of D's trunk: logits of the category and means of the continuous ones."""
        out = self.Q(features).float()
        return out[:, : self.hp.categories], out[:, self.hp.categories :]

    def parts(self, z: Tensor) -> tuple[Tensor, ...]:
        """Cut latents into noise, category and continuous codes."""
        return z.split([self.hp.z_dim, self.hp.categories, self.hp.continuous], 1)

    def prior(self, n: int) -> Tensor:
        """Draw noise, a category and continuous codes in [-1, 1]."""
        hp, noise = self.hp, self.noise(n)
        category = dist.rows(lambda rows: torch.randint(hp.categories, (rows,), device=self.device), n)
        rest = dist.rows(lambda rows: torch.rand(rows, hp.continuous, device=self.device), n) * 2 - 1
        return torch.cat([noise, F.one_hot(category, hp.categories), rest], 1)

    @property
    def noise_axes(self) -> int:
        """The codes follow the noise."""
        return self.hp.z_dim

    @property
    def classes(self) -> tuple[str, ...]:
        """The categories by number: what each means is only known from its images."""
        return tuple(map(str, range(self.hp.categories)))

    def of_class(self, z: Tensor, label: Tensor) -> Tensor:
        """Give latents other categories."""
        noise, _, rest = self.parts(z)
        return torch.cat([noise, F.one_hot(label, self.hp.categories), rest], 1)

    def label_of(self, z: Tensor) -> Tensor:
        """Read the categories of latents."""
        return self.parts(z)[1].argmax(1)

    def classify(self, image: Tensor) -> Tensor:
        """Cluster images: logits of their categories."""
        return self.codes(self.D.trunk(image))[0]
