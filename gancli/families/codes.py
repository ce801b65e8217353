"""GANs that also encode images to latents: a generator G and an encoder E."""

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
    """Hyperparameters of every variant of the family."""

    kimg: float = 400
    width: int = hparam(512, "units of each hidden layer", min=1)
    depth: int = hparam(2, "hidden layers of each network", min=1, max=8)

    @property
    def hidden(self) -> list[int]:
        """Return the units of each hidden layer."""
        return [self.width] * self.depth


H = TypeVar("H", bound=CodeHParams)


class Coded(FromLatents[H]):
    """G generates images from codes, E encodes images. Fully connected, as in the three papers on MNIST."""

    served = ("G", "E")
    builtin = "digits"
    norm: ClassVar[type[nn.Module] | None] = None  # of hidden layers
    codes: ClassVar[int] = 1  # outputs of E per dimension of the noise

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__(hp, spec)
        self.G = mlp.Generator(hp.z_dim + self.categories, hp.hidden, spec, self.norm)
        self.E = mlp.Encoder(hp.z_dim * self.codes + self.categories, hp.hidden, spec, self.norm)

    @property
    def categories(self) -> int:
        """Return the number of values of the categorical code that follows the noise; 0 for none."""
        return 0

    def encode(self, image: Tensor) -> Tensor:
        """Encode images to codes (N, Z)."""
        return self.E(image).float()

    def panels(self, batch: Images) -> list[Tensor]:
        """Return sources, their reconstructions, and samples from the prior."""
        return [batch.image, self.generate(self.encode(batch.image)), self.fakes(batch)]

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel."""
        return "image", "reconstruction", "sample"
