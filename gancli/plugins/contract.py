"""What the members of a GAN return, checked in variants of the user's own: an error names file, line and member.

Imports no torch: the command line takes its words from here.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any

from gancli.errors import BrokenVariant
from gancli.system.untrusted import trusted_code

if TYPE_CHECKING:
    from gancli.gan import GAN


@dataclass(frozen=True)
class Rule:
    """What a member must return: in words, and as a check."""

    phrase: str
    holds: Callable[[Any], bool]


def _is_tensor(value: Any, dims: int) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.dim() == dims


def _are_terms(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and _is_tensor(v, 0) for k, v in value.items())


def _is_turn(value: Any) -> bool:
    from gancli.gan import Turn

    return isinstance(value, Turn) and bool(value.terms) and _are_terms(value.terms) and _are_terms(value.stats)


def _is_network(value: Any) -> bool:
    from torch import nn

    return isinstance(value, nn.Module)


def _are_players(value: Any) -> bool:
    from torch.optim import Optimizer

    return isinstance(value, Mapping) and bool(value) and all(isinstance(v, Optimizer) for v in value.values())


def _are_panels(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_tensor(panel, 4) for panel in value)


def _are_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


_TERMS = Rule("a dict of terms: scalar tensors by name", _are_terms)
_TURN = Rule("a Turn, whose terms and stats are scalar tensors by name", _is_turn)
_IMAGES = Rule("images, a tensor (N, C, H, W)", lambda value: _is_tensor(value, 4))
_NETWORK = Rule("a network, an nn.Module", _is_network)
RULES = {
    "players": Rule("a dict of optimisers by player", _are_players),
    "play": Rule("turns: yield a Turn for each move of a player", lambda value: isinstance(value, Iterator)),
    "d_terms": _TERMS,
    "g_terms": _TERMS,
    "g_objective": _TERMS,
    "d_turn": _TURN,
    "g_turn": _TURN,
    "generator": _NETWORK,
    "discriminator": _NETWORK,
    "translator": _NETWORK,
    "prior": Rule("latents, a tensor (n, Z)", lambda value: _is_tensor(value, 2)),
    "encode": Rule("latents, a tensor (N, Z)", lambda value: _is_tensor(value, 2)),
    "rate": Rule("a number per image, a tensor (N,)", lambda value: _is_tensor(value, 1)),
    "generate": _IMAGES,
    "fakes": _IMAGES,
    "translate": _IMAGES,
    "fill": _IMAGES,
    "panels": Rule("a list of images (N, C, H, W)", _are_panels),
    "panel_names": Rule("a tuple of names, one per row of a panel", _are_names),
    "schedule": Rule("a dict of optimiser options by player", lambda value: isinstance(value, Mapping)),
}


def hold(kind: "type[GAN[Any]]") -> "type[GAN[Any]]":
    """Check what the members return that the class itself defines, whenever they are called."""
    for name, function in list(vars(kind).items()):
        if name in RULES and isinstance(function, FunctionType):
            setattr(kind, name, _checked(function, name))
    return kind


def _checked(function: FunctionType, name: str) -> Callable[..., Any]:
    rule = RULES[name]

    @wraps(function)
    def member(*words: Any, **options: Any) -> Any:
        found = function(*words, **options)
        if not rule.holds(found):
            raise BrokenVariant(f"{_place(function)} returned {_described(found)}, but must return {rule.phrase}")
        return _turns(function, found) if name == "play" else found

    return member


def _turns(function: FunctionType, turns: Iterator[Any]) -> Iterator[Any]:
    for turn in turns:
        if not _is_turn(turn):
            raise BrokenVariant(f"{_place(function)} yielded {_described(turn)}, but must yield {_TURN.phrase}")
        yield turn


def _place(function: FunctionType) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}: {code.co_qualname}"


def _described(value: Any) -> str:
    """Describe a value in a few words."""
    kind = type(value).__name__
    if hasattr(value, "shape"):
        return f"a {kind} of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{name}: {_described(item)}" for name, item in list(value.items())[:3])
        return f"a {kind} of {inside or 'nothing'}"
    terms = getattr(value, "terms", None)
    return f"a {kind} of {_described(terms)}" if terms is not None else "None" if value is None else f"a {kind}"


def check_networks(gan: "GAN[Any]") -> None:
    """Raise BrokenVariant if a GAN lacks a network that inference needs."""
    for name in (*gan.served, *gan.judges):
        if not _is_network(getattr(gan, name, None)):
            raise broken(gan, f"has no network {name}: assign self.{name} in __init__, or name others in `served`")


def broken(gan: "GAN[Any]", what: str) -> BrokenVariant:
    """Return the error for a GAN as a whole; its file is named if the user wrote it."""
    file = getattr(sys.modules.get(type(gan).__module__), "__file__", None)
    return BrokenVariant(f"{f'{file}: ' if trusted_code.is_own(file) else ''}{type(gan).__name__} {what}")


def blamed(error: Exception) -> str | None:
    """Return the error in one line if it arose in a .py file of the user's own; None for any other."""
    if isinstance(error, BrokenVariant):
        return str(error)
    last = None
    for frame in _frames(error.__traceback__):
        if trusted_code.is_own(frame.tb_frame.f_code.co_filename):
            last = frame
    if last is None:
        return None
    code, said = last.tb_frame.f_code, str(error).strip() or "no message"
    member = code.co_qualname.partition(".<locals>")[0]
    rule = RULES.get(member.rpartition(".")[2])
    must = f"; it must return {rule.phrase}" if rule else ""
    where = "" if member == "<module>" else f"{member}: "
    return f"{code.co_filename}:{last.tb_lineno}: {where}{type(error).__name__}: {said}{must}"


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next
