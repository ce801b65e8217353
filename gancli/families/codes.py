"""The family whose images can be turned back into latents: a generator G and an encoder E."""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.families.latents import FromLatents, SizeHParams
from gancli.hparams import AdamHParams, hparam
from gancli.nets import mlp


@dataclass(frozen=True, kw_only=True)
class CodeHParams(SizeHParams, AdamHParams):
    """What every member of the family can be told."""

    kimg: float = 200
    width: int = hparam(512, "units of each hidden layer", min=1)
    depth: int = hparam(2, "hidden layers of each network", min=1, max=8)

    @property
    def hidden(self) -> list[int]:
        """Units of the hidden layers."""
        return [self.width] * self.depth


H = TypeVar("H", bound=CodeHParams)


class Coded(FromLatents[H]):
    """G draws images from codes, E reads codes off images. Fully connected, as in the three papers on MNIST."""

    served = ("G", "E")
    builtin = "digits"
    norm: ClassVar[type[nn.Module] | None] = None  # of hidden layers
    codes: ClassVar[int] = 1  # numbers that E gives for each of the noise's

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = mlp.Generator(hp.z_dim + self.categories, hp.hidden, spec, self.norm)
        self.E = mlp.Encoder(hp.z_dim * self.codes + self.categories, hp.hidden, spec, self.norm)

    @property
    def categories(self) -> int:
        """Values of the categorical code that follows the noise; 0: there is none."""
        return 0

    def encode(self, image: Tensor) -> Tensor:
        """Read codes (N, Z) off images."""
        return self.E(image).float()

    def panels(self, batch: Images) -> list[Tensor]:
        """Sources, what becomes of them by way of the code, and draws from the prior."""
        return [batch.image, self.generate(self.encode(batch.image)), self.fakes(batch)]
