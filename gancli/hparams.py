"""Hyperparameters: dataclass fields with their own help text and range. Imports no torch, so help is fast."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from gancli.errors import UserError

AUTO = 0  # the value of `auto`: the number is chosen to fit the machine


def hparam(
    default: Any, help: str, *, min: float | None = None, max: float | None = None, panel: str = "", auto: bool = False
) -> Any:
    """Declare a dataclass field with the help text, closed range and help panel of its command-line option.

    With `auto`, the option also accepts the word `auto`, whose value is AUTO.
    """
    return field(default=default, metadata={"help": help, "min": min, "max": max, "panel": panel, "auto": auto})


def words(cls: type, name: str) -> dict[str, Any]:
    """Return help text and range of a field, from the nearest class in the MRO that declares them.

    A subclass that only changes a default (``lr: float = 1e-4``) keeps the help text of its base.
    Raise TypeError for a field without help text.
    """
    for base in cls.__mro__:
        declared = base.__dict__.get("__dataclass_fields__", {}).get(name)
        if declared is not None and "help" in declared.metadata:
            return dict(declared.metadata)
    raise TypeError(f"{cls.__qualname__}.{name} has no help text: declare it with hparam(...)")


def option_of(name: str) -> str:
    """Return the command-line option of a field; a last _ keeps a word of Python's free, as in from_."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def check_ranges(values: Any) -> None:
    """Raise UserError for the first field of a dataclass instance that is outside its declared range."""
    for f in dataclasses.fields(values):
        value, stated = getattr(values, f.name), words(type(values), f.name)
        low, high = stated["min"], stated["max"]
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{option_of(f.name)} {value} is not allowed: give a finite number")
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            limits = f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
            raise UserError(f"{option_of(f.name)} {value} is not allowed: {limits}")


def whole_numbers(text: str) -> list[int]:
    """Read the value of an option that holds whole numbers with commas, such as 64,32,16; none for an empty text."""
    return [int(number) for number in text.split(",")] if text else []


@dataclass(frozen=True, kw_only=True)
class HParams:
    """The hyperparameters, which determine what is learnt. The loop reads the first three; variants add their own."""

    batch: int = hparam(
        64, "real images per step, over all processes; auto: as many as fit into a GPU's memory", min=0, auto=True
    )
    kimg: float = hparam(100.0, "length of training, in thousands of real images", min=0)
    ema_kimg: float = hparam(10.0, "half-life of the EMA of the weights, in kimg; 0: no EMA", min=0)
    lr: float = hparam(2e-4, "learning rate of every player", min=0)

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if f.type is float and type(getattr(self, f.name)) is int:  # store 600 and 600.0 the same way
                object.__setattr__(self, f.name, float(getattr(self, f.name)))
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class AdamHParams(HParams):
    """Hyperparameters of the Adam optimiser (Kingma and Ba 2015, arXiv:1412.6980)."""

    beta1: float = hparam(0.5, "Adam's beta1: decay of the mean gradient", min=0, max=0.99999)
    beta2: float = hparam(0.999, "Adam's beta2: decay of the mean squared gradient", min=0, max=0.99999)
    weight_decay: float = hparam(0.0, "weight decay: this share of a weight is added to its gradient", min=0)


@dataclass(frozen=True, kw_only=True)
class DecayHParams(HParams):
    """Learning rates that fall at the end (`gancli.gan.Clock.falling`)."""

    decay: float = hparam(0.0, "final share of training in which learning rates fall linearly to 0", min=0, max=1)
