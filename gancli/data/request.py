"""The command line's request for data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gancli.images.sizes import Size

Report = Callable[[int, int], None]  # images done, images in all


@dataclass(frozen=True)
class Wanted:
    """The requested image format; None means that it is chosen from the data."""

    size: Size | None = None
    channels: int | None = None
    threads: int = 4  # for decoding
    skip_broken: bool = False  # however many there are


@dataclass(frozen=True)
class Request:
    """The data to open, and how."""

    data: str
    wanted: Wanted = field(default_factory=Wanted)
    split: str = "train"
    report: Report | None = None
    data_b: str | None = None
    pairs: str | None = None
    direction: str | None = None
