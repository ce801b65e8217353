"""BiGAN: Donahue et al. 2017, "Adversarial Feature Learning", arXiv:1605.09782."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.codes import Coded, CodeHParams
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import mlp
from gancli.nets.layers.norms import BatchNorm1d
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(CodeHParams):
    """The networks are those of the paper's MNIST experiments in small; its z was uniform, ours is N(0, I)."""

    weight_decay: float = 2.5e-5
    kimg: float = 1500
    width: int = 256
    z_dim: int = 16  # the paper's 50 takes longer to learn to invert, and gains nothing on small images
    decay: float = hparam(0.01, "what is left of the learning rate at the end; it falls in the second half", min=0)


class BiGAN(Coded[HParams]):
    """D tells (x, E(x)) from (G(z), z), and to fool it E must invert G; pixels are never compared (section 3)."""

    purpose = "new images, and an encoder of images"
    hparams = HParams
    adversarial, judges, norm, least_batch = losses.NONSATURATING, ("D",), BatchNorm1d, 2  # one value per image

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.D = mlp.JointDiscriminator(hp.z_dim, hp.hidden, spec)

    def players(self) -> Mapping[str, Optimizer]:
        """G and E are one player: both kinds of pairs must fool D (section 3.4)."""
        return {"D": self.adam(self.D), "G": self.adam(self.G, self.E)}

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Constant, then falling exponentially (appendix C.1)."""
        return {player: {"lr": self.hp.lr * self.hp.decay ** max(0.0, 2 * clock.progress - 1)} for player in "DG"}

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """Section 3.4: D, then G and E on D's loss with its two sides swapped."""
        del clock
        x, z, loss = batch.image, self.prior(len(batch)), self.adversarial.d
        code, drawn = self.encode(x), self.generate(z)
        yield Turn("D", {"adversarial": loss(self.D(x, code.detach()), self.D(drawn.detach(), z))})
        yield Turn("G", {"adversarial": loss(self.D(drawn, z), self.D(x, code))})

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """How much D takes each pair of an image and its latent for one that E made of data."""
        return self.D(image, z)
