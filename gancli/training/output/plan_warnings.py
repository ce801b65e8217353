"""Warn, before the first step, of what is known to fail, and say what to do instead."""

from collections.abc import Iterator
from typing import Any

from gancli import registry
from gancli.capabilities import Samples
from gancli.data.dataset import Dataset
from gancli.data.sources import builtin
from gancli.gan import GAN
from gancli.system.progress import duration
from gancli.system.untrusted.door import printable

FEW_IMAGES = 100  # the fewest that Zhao et al. 2020 (section 4.4) and Liu et al. 2021 train on
LARGE, SHORT = 64, 100_000  # pixels per side, and images: 72 kimg of 1,911 emoji gave blobs at this size
LONG = 12 * 3600.0  # seconds
MOST_NAMES = 80  # characters of a list of classes


def of_data(data: str, dataset: Dataset[Any], variant: str, *, fine_tuned: bool) -> Iterator[str]:
    """Yield warnings about the images of a user: too few, or with labels that the variant does not use."""
    if data in builtin.names():
        return
    count = len(dataset) if dataset.matched else min(map(len, dataset.columns.values()))
    if count < FEW_IMAGES and not fine_tuned:
        each = "" if dataset.matched else " in a domain"
        yield (
            f"only {count} image{'s' * (count > 1)}{each}: D memorises them, so G copies them or learns nothing. "
            f"Give {FEW_IMAGES} or more, or fine-tune a trained model: --from MODEL"
        )
    if dataset.unused:
        names = printable(", ".join(dataset.unused), MOST_NAMES)
        yield (
            f"the labels of {len(dataset.unused)} classes ({names}) are not used: {variant} learns from images alone. "
            f"To generate a chosen class, train {registry.recommended(registry.LABELS)}, or see gancli list"
        )


def of_length(gan: GAN[Any], total: int, seconds: float | None, preset: str | None) -> Iterator[str]:
    """Yield warnings about training on a CPU that is too short for the size of its images, or takes days.

    `seconds` is the time that it takes, if it is known.
    """
    spec = gan.spec
    if isinstance(gan, Samples) and min(spec.height, spec.width) >= LARGE and total < SHORT:
        yield (
            f"{spec.width}x{spec.height} pixels need more than {total / 1000:g} kimg: expect blobs. Give --size "
            f"{LARGE // 2}, which trains about 4 times as fast, or --kimg {SHORT // 500} and more"
        )
    if seconds is not None and seconds > LONG:
        quick = "--preset quick, " if preset == "paper" else ""
        yield f"training takes {duration(seconds)} on this CPU: give {quick}--minutes or a smaller --size, or use a GPU"
