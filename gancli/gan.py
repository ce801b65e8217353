"""The interface of every GAN. Nothing here depends on a particular variant.

Shapes: N batch, C channels, H height, W width, Z latent size, K classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Request
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.hparams import HParams
from gancli.optim import Adam

EMA_RAMP = 0.05  # the EMA's half-life is at most this share of the images seen: the first weights are soon forgotten


@dataclass(frozen=True)
class Clock:
    """The progress of training. Everything that changes during training is a function of it."""

    step: int  # training steps finished; a step is one batch and every turn played on it
    images: int  # real images seen, over all processes
    total: int  # real images to see before training ends

    @property
    def progress(self) -> float:
        """Return the finished share of training, in [0, 1]."""
        return min(self.images / max(self.total, 1), 1.0)

    def every(self, n: int) -> bool:
        """Return whether this step is the last of `n`, for actions after the first `n` steps and every `n` then."""
        return self.step % n == n - 1

    def opens(self, n: int) -> bool:
        """Return whether this step is the first of `n`, for actions in the very first step and every `n` then."""
        return self.step % n == 0


class Pace(NamedTuple):
    """A part of a run whose steps take equally long."""

    images: int  # real images seen at some step of it
    share: float  # of the images of the run


@dataclass
class Turn:
    """One player's turn: the loss terms that it minimises now.

    The loop sums the terms, differentiates the sum with respect to this player's parameters only,
    and steps its optimiser before `play` continues.
    """

    player: str
    terms: dict[str, Tensor]  # scalars; summed into the loss, each logged by name
    stats: dict[str, Tensor] = field(default_factory=dict)  # logged only
    fresh: bool = False  # reset this player's optimiser state first


H = TypeVar("H", bound=HParams)


def mixing(network: nn.Module) -> tuple[str, ...]:
    """Name the layers of a network that look at a batch as a whole: batch norms, and those that say so by `mixes`."""
    layers = list(network.modules())
    batch_norm = ["batch norm"] if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in layers) else []
    others = (getattr(layer, "mixes", None) for layer in layers)
    return (*batch_norm, *sorted({name for name in others if isinstance(name, str)}))


class GAN(nn.Module, Generic[H]):
    """A game between networks: its players, and what each minimises in its turn.

    Register state that outlives a training step as a buffer, so that checkpoints contain it.
    """

    purpose: ClassVar[str] = ""  # a phrase for `gancli list` that helps to choose
    recommended: ClassVar[bool] = False  # `gancli train` uses it when no variant is named; set in one built-in variant
    hparams: ClassVar[type[HParams]]
    data: ClassVar[type[Batch]]
    builtin: ClassVar[str] = "shapes-easy"  # the data set for training without --data
    least_batch: ClassVar[int] = 1  # images in a micro-batch: 2 if a batch norm sees one value per channel and image
    served: ClassVar[tuple[str, ...]] = ("G",)  # networks for inference: EMA applies to them, old checkpoints keep them
    judges: ClassVar[tuple[str, ...]] = ()  # networks only for `rate`; served too, but older checkpoints lack them

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "suited" in vars(cls):  # the old name of preset, which would be ignored silently
            raise UserError(f"{cls.__name__}.suited is now called preset: rename it")

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__()
        self.hp, self.spec = hp, spec

    @classmethod
    def dataset(cls, hp: Any, request: "Request") -> "Dataset[Any]":
        """Open the training data; a variant may hide a part of it, such as labels."""
        del hp
        return cls.data.open(request)

    @classmethod
    def preset(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Return the quick preset: hyperparameters to train in minutes on a CPU, or on small images."""
        del spec
        return {}

    @classmethod
    def paper(cls, spec: DataSpec, batch: int) -> Mapping[str, Any]:
        """Return what the paper preset adds to the defaults for some data, in batches of so many images."""
        del spec, batch
        return {}

    @classmethod
    def few(cls, spec: DataSpec, epochs: float) -> Mapping[str, Any]:
        """Return what is added to either preset for few images, which D will see `epochs` times and may memorise."""
        del spec, epochs
        return {}

    def players(self) -> Mapping[str, Optimizer]:
        """Return the optimiser of each player. Called once, after the move to the device."""
        raise NotImplementedError

    def play(self, batch: Any, clock: Clock) -> Iterator[Turn]:
        """Play one training step; it reads from top to bottom like the algorithm in the paper.

        Code after a ``yield`` runs after that player's update, once per micro-batch; change the state of the GAN in
        `moved` instead. Never yield inside a ``with`` block.
        """
        raise NotImplementedError

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """React to a player's update: called once after each of its turns, even with several micro-batches.

        `means` has the turn's terms and stats by name, averaged over the micro-batches of this process.
        """

    def mixes(self) -> tuple[str, ...]:
        """Name what makes an image's loss depend on the rest of the batch, and so sees only one micro-batch."""
        return mixing(self)

    def fakes(self, batch: Any) -> Tensor:
        """Generate the images (N, C, H, W) in [-1, 1] that grids show and metrics score.

        They are compared with the data's images, targets, or second domain.
        """
        raise NotImplementedError

    def panels(self, batch: Any) -> list[Tensor]:
        """Return the images of a run's sample grids, one tensor per row of a panel.

        Each is (N, C, H, W); a column is one row of the batch, such as a source and, below it, its translation.
        """
        return [self.fakes(batch)]

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Return the optimiser options that change during training, by player: ``{"D": {"lr": 1e-4}}``."""
        del clock
        return {}

    def paces(self, begin: int, total: int) -> list[Pace]:
        """Return the parts of a run, from `begin` to `total` images, whose steps take unequally long; the longest last.

        They are as many and in the same order for every run: a step of each is timed before its length is known.
        """
        del begin, total
        return [Pace(0, 1.0)]

    def ema_half_life(self, clock: Clock) -> float:
        """Return the half-life of the EMA of the weights, in images: at most a share of those seen; 0: no EMA."""
        return min(self.hp.ema_kimg * 1000, EMA_RAMP * clock.images)

    @property
    def device(self) -> torch.device:
        """Return the device of the weights."""
        return next(self.parameters()).device

    def adam(self, *networks: nn.Module, lr: float | None = None) -> Adam:
        """Make an Adam optimiser for some networks, with the hyperparameters of AdamHParams."""
        hp: Any = self.hp
        weights = nn.ModuleList(networks).parameters()  # a shared weight counts once
        rate = hp.lr if lr is None else lr
        return Adam(weights, lr=rate, betas=(hp.beta1, hp.beta2), weight_decay=hp.weight_decay, fused=True)


# Capabilities are methods, not flags: a variant has those that it implements.


@runtime_checkable
class Samples(Protocol):
    """Generates images from latents: `sample`, `interpolate`."""

    def prior(self, n: int) -> Tensor:
        """Sample latents (n, Z)."""
        ...

    def generate(self, z: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from latents (N, Z)."""
        ...


@runtime_checkable
class Rates(Protocol):
    """Rates samples: `--truncation T` keeps the share T that it rates highest."""

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """Return a number (N,) for images (N, C, H, W) of latents (N, Z), higher for better ones.

        The rating of an image does not depend on the rest of the batch.
        """
        ...


@runtime_checkable
class Truncates(Protocol):
    """Truncates in its own way, which `--truncation` prefers to the rating of samples.

    For models that were trained for it, or whose latents can be moved towards a centre.
    """

    truncates_by: ClassVar[str]  # a phrase for `info` and a PNG's metadata

    def truncated(self, n: int, truncation: float) -> Tensor:
        """Sample latents (n, Z); raise UserError for a truncation that is out of range."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """Prepares its networks for a truncation, once, before it truncates; the result is cached."""

    def prepared(self, truncation: float) -> dict[str, Tensor]:
        """Return float32 buffers by name that replace its own; raise UserError for a truncation out of range.

        The result depends on nothing else, and changes nothing but these buffers.
        """
        ...


@runtime_checkable
class Classes(Protocol):
    """Generates a chosen class: `--class`. Labels are a part of the latent, so walks can lead from class to class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, none if it learnt without labels; a label is an index into them."""
        ...

    def of_class(self, z: Tensor, label: Tensor) -> Tensor:
        """Replace the labels of latents (N, Z) by labels (N,)."""
        ...

    def label_of(self, z: Tensor) -> Tensor:
        """Return the labels (N,) of latents (N, Z)."""
        ...


@runtime_checkable
class Styled(Protocol):
    """Generates through styles w that steer the layers one by one: style mixing, truncation and editing in w."""

    @property
    def style_layers(self) -> int:
        """Return L, how many styles steer an image; the first act on the coarsest features."""
        ...

    def styles(self, z: Tensor) -> Tensor:
        """Map latents (N, Z) to styles (N, L, W), the same one for every layer."""
        ...

    def mean_styles(self, z: Tensor) -> Tensor:
        """Return the mean styles (N, L, W) that truncation moves latents z towards: those of their class, if any."""
        ...

    def synthesise(self, w: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from styles (N, L, W)."""
        ...


@runtime_checkable
class Appends(Protocol):
    """Appends labels or codes to the noise of its latents: walks are arcs in the noise and straight lines in these."""

    @property
    def noise_axes(self) -> int:
        """Return how many leading axes of a latent are noise."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Encodes an image to its latent: `interpolate --images`, reconstructions."""

    def encode(self, image: Tensor) -> Tensor:
        """Return the latents (N, Z) of images (N, C, H, W) in [-1, 1]; the result is deterministic."""
        ...


@runtime_checkable
class Translates(Protocol):
    """Translates images of one domain into another: `translate`."""

    directions: tuple[str, ...]  # supported directions: AB, and BA for models that also translate back
    multiple: int  # height and width must be multiples of it; otherwise any size is allowed

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images (N, C, H, W) in [-1, 1]; float32, of the same size, unless the model `Enlarges`."""
        ...


@runtime_checkable
class Enlarges(Protocol):
    """A translator whose images are larger than its input's."""

    @property
    def scale(self) -> int:
        """Return how many times each side is enlarged."""
        ...


@runtime_checkable
class Changes(Protocol):
    """Changes the attributes of an image: `translate --attributes`."""

    multiple: int  # as in Translates

    @property
    def attributes(self) -> int:
        """Return A, how many attributes there are."""
        ...

    def change(self, image: Tensor, attributes: Tensor) -> Tensor:
        """Translate images (N, C, H, W) in [-1, 1] to attributes (N, A), each 0 or 1."""
        ...


@runtime_checkable
class DrawsLabels(Protocol):
    """Generates images from maps of labels: `translate` takes each grey value for a label."""

    multiple: int  # as in Translates
    edges: bool  # whether a last plane holds the edges between instances

    @property
    def labels(self) -> int:
        """Return how many labels there are."""
        ...

    def draw(self, planes: Tensor) -> Tensor:
        """Generate images (N, C, H, W) in [-1, 1] from one-hot planes (N, labels, H, W), and one of edges if asked."""
        ...


@runtime_checkable
class Fills(Protocol):
    """Fills the missing part of an image: `translate --mask`."""

    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill images (N, C, H, W) in [-1, 1] where the mask (N, 1, H, W) is 1; all other pixels stay bit-equal.

        The image's content inside the hole has no influence.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Classifies images: `classify`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, in the order of the logits."""
        ...

    def classify(self, image: Tensor) -> Tensor:
        """Return the logits (N, K) of images (N, C, H, W)."""
        ...


def each_class(gan: Classes, z: Tensor) -> Tensor:
    """Repeat latents (N, Z) for every class, one class after another: (K * N, Z)."""
    label = torch.arange(len(gan.classes), device=z.device)
    return gan.of_class(z.repeat(len(label), 1), label.repeat_interleave(len(z)))
