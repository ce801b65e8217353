"""The classes of images that are scored class by class: those of both sides must be the same."""

from typing import Protocol

from torch import Tensor

from gancli.errors import UserError

PER_CLASS = "fid-per-class"
LEAST = 2  # images of a class on each side: a covariance needs them


class Side(Protocol):
    """Real or generated images."""

    name: str
    labels: Tensor | None
    classes: tuple[str, ...]


def check_classes(fake: Side, real: Side | None) -> None:
    """Raise UserError unless both sides have the same classes, and one of them has enough images on both."""
    if real is None or real.labels is None or fake.labels is None:
        lacks = "--stats" if real is None else (fake if fake.labels is None else real).name
        raise UserError(
            f"--metrics {PER_CLASS} needs classes for real and generated images, which {lacks} does not have: "
            "give one folder per class, or labels"
        )
    if _named(fake) and _named(real) and fake.classes != real.classes:
        raise UserError(
            f"--metrics {PER_CLASS}: {fake.name} has the classes {', '.join(fake.classes)}; "
            f"{real.name} has {', '.join(real.classes)}: give data with the same classes"
        )
    counts = [side.labels[side.labels >= 0].bincount(minlength=1) for side in (fake, real) if side.labels is not None]
    common = min(map(len, counts))
    if not bool(((counts[0][:common] >= LEAST) & (counts[1][:common] >= LEAST)).any()):
        raise UserError(f"--metrics {PER_CLASS}: no class has at least two real and two generated images")


def class_names(fake: Side, real: Side) -> tuple[str, ...]:
    """Return the names of the classes, which may be known of one side only."""
    return fake.classes if _named(fake) else real.classes


def _named(side: Side) -> bool:
    """Return whether the classes have names, not only numbers, as those of an array of labels."""
    return side.classes != tuple(map(str, range(len(side.classes))))
