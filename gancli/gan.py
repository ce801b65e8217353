"""The interface of every GAN. Nothing here depends on a particular variant.

Shapes: N batch, C channels, H height, W width, Z latent size, K classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

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

    def falling(self, share: float) -> float:
        """Return a factor that is 1 at first and falls linearly to 0 over the final share of training."""
        return min(1.0, (1 - self.progress) / share) if share else 1.0

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
    recommended: ClassVar[bool] = False  # to try first on its kind of data; set in one built-in variant of a kind
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
    def dataset(cls, hp: Any, request: Request) -> Dataset[Any]:
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

    def panel_names(self) -> tuple[str, ...]:
        """Name the rows of a panel, for captions; a grid of samples alone has no names."""
        return ()

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
