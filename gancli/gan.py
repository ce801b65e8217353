"""What every GAN is. Nothing here knows any of them.

Shapes: N batch, C channels, H height, W width, Z latent size, K classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Request
from gancli.data.spec import DataSpec
from gancli.hparams import HParams
from gancli.optim import Adam


@dataclass(frozen=True)
class Clock:
    """Where training stands. Whatever changes over training is a function of it."""

    step: int  # steps finished; a step is one batch and every turn played on it
    images: int  # real images seen, over all processes
    total: int  # real images to see before training ends

    @property
    def progress(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        return min(self.images / max(self.total, 1), 1.0)

    def every(self, n: int) -> bool:
        """Tell whether this step is one in `n`; the first is."""
        return self.step % n == 0


@dataclass
class Turn:
    """One player's move: the terms that it minimises now.

    The loop sums the terms, differentiates the sum with respect to this player's parameters only,
    and steps its optimiser before `play` goes on.
    """

    player: str
    terms: dict[str, Tensor]  # scalars; summed into the loss, each logged by name
    stats: dict[str, Tensor] = field(default_factory=dict)  # logged only
    fresh: bool = False  # forget this player's optimiser state first


H = TypeVar("H", bound=HParams)


class GAN(nn.Module, Generic[H]):
    """A game between networks: who plays, and what each minimises in its turn.

    State that outlives a step is a registered buffer, so that checkpoints hold it unasked.
    """

    hparams: ClassVar[type[HParams]]
    data: ClassVar[type[Batch]]
    builtin: ClassVar[str] = "shapes-easy"  # the data set it trains on when none is given
    served: ClassVar[tuple[str, ...]] = ("G",)  # networks that use needs; averaged, and kept alone after training

    def __init__(self, hp: H, spec: DataSpec) -> None:
        super().__init__()
        self.hp, self.spec = hp, spec

    @classmethod
    def dataset(cls, hp: Any, request: "Request") -> "Dataset[Any]":
        """Read what the game is played on; a variant may hide a part of it."""
        del hp
        return cls.data.open(request)

    @classmethod
    def suited(cls, spec: DataSpec) -> Mapping[str, Any]:
        """Give hyperparameters that suit some data better than the paper's do; what a user names comes before them."""
        del spec
        return {}

    def players(self) -> Mapping[str, Optimizer]:
        """Give each player its optimiser. Called once, after the move to the device."""
        raise NotImplementedError

    def play(self, batch: Any, clock: Clock) -> Iterator[Turn]:
        """Play one training step, read from top to bottom like the algorithm in the paper.

        Code after a ``yield`` runs when that player's weights have moved (once a micro-batch when gradients
        are accumulated). Never yield inside a ``with`` block.
        """
        raise NotImplementedError

    def fakes(self, batch: Any) -> Tensor:
        """Make the images (N, C, H, W) in [-1, 1] that grids show and metrics score."""
        raise NotImplementedError

    def panels(self, batch: Any) -> list[Tensor]:
        """Make the pictures of a run's grids: for each of them a row, and below it a row of the next.

        Each is (N, C, H, W), and a column is one row of the batch: a source and, below it, what became of it.
        """
        return [self.fakes(batch)]

    def schedule(self, clock: Clock) -> Mapping[str, Mapping[str, Any]]:
        """Give the optimiser options that change over training, by player: ``{"D": {"lr": 1e-4}}``."""
        del clock
        return {}

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    def adam(self, *networks: nn.Module, lr: float | None = None) -> Adam:
        """Make an Adam with the rates of the hyperparameters (AdamHParams) over some of the networks."""
        hp: Any = self.hp
        weights = nn.ModuleList(networks).parameters()  # a shared weight counts once
        return Adam(weights, lr=hp.lr if lr is None else lr, betas=(hp.beta1, hp.beta2), fused=True)


# Capabilities are methods, not flags: a variant can do what it implements.


@runtime_checkable
class Samples(Protocol):
    """Draws images from latents: `sample`, `interpolate`."""

    def prior(self, n: int) -> Tensor:
        """Draw latents (n, Z)."""
        ...

    def generate(self, z: Tensor) -> Tensor:
        """Draw images (N, C, H, W) in [-1, 1] from latents (N, Z)."""
        ...


@runtime_checkable
class Truncates(Protocol):
    """Trades variety for quality at sampling: `--truncation`."""

    def truncated(self, n: int, truncation: float) -> Tensor:
        """Draw latents (n, Z) closer to the middle of the prior."""
        ...


@runtime_checkable
class Classes(Protocol):
    """Draws what it is asked for: `--class`. Labels are a part of the latent, so walks pass from class to class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that can be asked for; a label is an index into them."""
        ...

    def of_class(self, z: Tensor, label: Tensor) -> Tensor:
        """Give latents (N, Z) the labels (N,) in place of their own."""
        ...

    def label_of(self, z: Tensor) -> Tensor:
        """Read the labels (N,) of latents (N, Z)."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Reads the latent off an image: `interpolate --images`, reconstructions."""

    def encode(self, image: Tensor) -> Tensor:
        """Find the latents (N, Z) of images (N, C, H, W) in [-1, 1]; the same image always has the same."""
        ...


@runtime_checkable
class Translates(Protocol):
    """Turns images of one domain into images of another: `translate`."""

    directions: tuple[str, ...]  # the ways it goes: AB, and BA for those that go back
    multiple: int  # what the sides of an image must be multiples of; otherwise it may have any size

    def translate(self, image: Tensor, direction: str) -> Tensor:
        """Translate images (N, C, H, W) in [-1, 1]; float32, of the same size."""
        ...


@runtime_checkable
class Fills(Protocol):
    """Draws what is missing from an image: `translate --mask`."""

    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill images (N, C, H, W) in [-1, 1] where the mask (N, 1, H, W) is 1; every other pixel stays to the bit.

        What the image holds in the hole is not looked at.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Tells classes apart: `classify`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        ...

    def classify(self, image: Tensor) -> Tensor:
        """Give images (N, C, H, W) logits (N, K)."""
        ...


def each_class(gan: Classes, z: Tensor) -> Tensor:
    """Repeat latents (N, Z) for every class, class after class: (K * N, Z)."""
    label = torch.arange(len(gan.classes), device=z.device)
    return gan.of_class(z.repeat(len(label), 1), label.repeat_interleave(len(z)))
