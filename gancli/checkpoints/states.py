"""The state of the optimisers, as named tensors for a checkpoint, and back.

A state is restored only if it has the fields, shapes and types that the optimiser would create by itself.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.gan import GAN

STEPS = "step"  # the field that counts an optimiser's steps
Players = Mapping[str, Optimizer]


class Fitted(NamedTuple):
    """The state that an optimiser gets for one parameter."""

    player: Optimizer
    parameter: nn.Parameter
    fields: dict[str, Tensor]


def named(gan: GAN[Any], players: Players) -> dict[str, Tensor]:
    """Return the state of all optimisers as tensors named PLAYER.FIELD.PARAMETER."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in gan.named_parameters()}
    return {
        f"{who}.{field}.{names[parameter]}": torch.as_tensor(value)
        for who, player in players.items()
        for parameter, state in player.state.items()
        for field, value in state.items()
    }


def fitting(gan: GAN[Any], players: Players, tensors: Mapping[str, Tensor], *, trained: bool) -> list[Fitted]:
    """Assign each tensor to its optimiser and parameter.

    Raise ValueError with the name of a tensor that is missing, has the wrong shape or type, or belongs to no parameter.
    A parameter that was never updated has no state; if the GAN is `trained`, at least one parameter must have some.
    """
    names: dict[Tensor, str] = {parameter: name for name, parameter in gan.named_parameters()}
    left, found, missing = dict(tensors), list[Fitted](), list[str]()
    for who, player, group, parameter in _moved(players):
        own = _first(player, group, parameter)
        given = {field: left.pop(f"{who}.{field}.{names[parameter]}", None) for field in own}
        fields = {field: tensor for field, tensor in given.items() if tensor is not None}
        if fields and (wrong := [f for f, tensor in given.items() if not _fits(f, tensor, own[f])]):
            raise ValueError(f"{who}.{wrong[0]}.{names[parameter]}")
        missing += [f"{who}.{field}.{names[parameter]}" for field in own if not fields]
        if fields:
            found.append(Fitted(player, parameter, fields))
    if lost := list(left) or (missing if trained and not found else []):
        raise ValueError(lost[0])
    return found


def _moved(players: Players) -> Iterator[tuple[str, Optimizer, dict[str, Any], nn.Parameter]]:
    for who, player in players.items():
        for group in player.param_groups:
            for parameter in group["params"]:
                yield who, player, group, parameter


def _first(player: Optimizer, group: dict[str, Any], parameter: nn.Parameter) -> dict[str, Tensor]:
    """Return the state that an optimiser creates in its first step on a parameter of this shape."""
    probe = nn.Parameter(torch.zeros_like(parameter))
    probe.grad = torch.zeros_like(parameter)
    alike = copy.copy(player)
    alike.param_groups, alike.state = [{**group, "params": [probe]}], defaultdict(dict)
    alike.step()
    return {field: torch.as_tensor(value) for field, value in alike.state[probe].items()}


def _fits(field: str, given: Tensor | None, own: Tensor) -> bool:
    if given is None or given.shape != own.shape or given.dtype != own.dtype or not given.isfinite().all():
        return False
    return field != STEPS or 0 <= given.item() <= 2**53


def put(players: Players, found: list[Fitted]) -> None:
    """Replace the state of all optimisers; in place where state exists, because a CUDA graph may read it."""
    for player in players.values():
        forget(player)
    for player, parameter, fields in found:
        state = player.state[parameter]
        for field, value in fields.items():
            if field in state:
                state[field].copy_(value)
            else:
                state[field] = _like(parameter, value)


def forget(player: Optimizer) -> None:
    """Reset the state of an optimiser to zeros, in place, because a CUDA graph may read it."""
    for state in player.state.values():
        for value in state.values():
            value.zero_()


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """Give a state the memory layout of its parameter: fused kernels walk both in memory order."""
    if value.shape != parameter.shape:
        return value if value.dim() == 0 and parameter.device.type == "cpu" else value.to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
