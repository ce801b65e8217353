"""What the command line asks of the data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gancli.images.sizes import Size

Report = Callable[[int, int], None]  # pictures done, pictures in all


@dataclass(frozen=True)
class Wanted:
    """What was asked of the pictures; None: find it from them."""

    size: Size | None = None
    channels: int | None = None
    threads: int = 4  # that decode


@dataclass(frozen=True)
class Request:
    """The data options of the command line."""

    data: str
    wanted: Wanted = field(default_factory=Wanted)
    split: str = "train"
    report: Report | None = None
    data_b: str | None = None
    pairs: str | None = None
    direction: str | None = None
