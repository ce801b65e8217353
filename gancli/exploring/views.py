"""What the page asks for, as typed and bounded JSON."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gancli.inference.sampling.directions import By
from gancli.inference.sampling.styles import MOST_PSI

MOST_PINS = 8
MOST_FRAMES = 240

Seed = Annotated[int, Meta(ge=0, lt=10**12 - 25)]  # what --seeds takes, and a grid after it
Place = Annotated[int, Meta(ge=0, lt=10**6)]  # of an axis or a direction
Amount = Annotated[float, Meta(ge=-100, le=100)]
Amounts = Annotated[tuple[tuple[Place, Amount], ...], Meta(max_length=32)]
Frames = Annotated[int, Meta(ge=2, le=MOST_FRAMES)]


class Spot(Struct, frozen=True, forbid_unknown_fields=True):
    """A place in latent space: a seed, and what was changed in its latent."""

    seed: Seed
    of_class: Annotated[str, Meta(max_length=1000)] | None = None
    truncation: Annotated[float, Meta(ge=0, le=MOST_PSI)] | None = None
    axes: Amounts = ()  # the new values of latent axes
    directions: Amounts = ()  # how far to move along directions, in standard deviations
    by: By = "sefa"
    layers: Literal["coarse", "middle", "fine"] | None = None  # that directions move

    @property
    def plain(self) -> bool:
        """Whether it is the sample of a seed, with nothing changed."""
        return not self.axes and not self.directions


Pins = Annotated[tuple[Spot, ...], Meta(min_length=2, max_length=MOST_PINS)]


class Sample(Struct, frozen=True, forbid_unknown_fields=True, tag_field="view", tag="sample"):
    """The image of a spot."""

    spot: Spot


class Sheet(Struct, frozen=True, forbid_unknown_fields=True, tag_field="view", tag="sheet"):
    """A grid of the samples of several seeds, beginning with the seed of a spot."""

    spot: Spot
    side: Annotated[int, Meta(ge=2, le=5)]  # images per row and per column


class Frame(Struct, frozen=True, forbid_unknown_fields=True, tag_field="view", tag="frame"):
    """One frame of a walk between pins."""

    pins: Pins
    frames: Frames
    at: Annotated[int, Meta(ge=0, lt=MOST_FRAMES)]


class WholeWalk(Struct, frozen=True, forbid_unknown_fields=True, tag_field="view", tag="walk"):
    """All frames of a walk between pins."""

    pins: Pins
    frames: Frames


Shown = Sample | Sheet | Frame
Kept = Sample | Sheet | Frame | WholeWalk
