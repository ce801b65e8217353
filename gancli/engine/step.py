"""One training step: the game of a batch, turn by turn. It names no variant, network or loss."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.engine.finite import not_finite, step_unless
from gancli.gan import GAN, Clock, Turn
from gancli.plugins.contract import broken
from gancli.system import dist
from gancli.system.parts import Parts

SKIPPED = "skipped"  # log entry of a step: 1 if a turn was skipped for a non-finite loss or gradient

Amp = Callable[[], AbstractContextManager[Any]]


def parameters(player: Optimizer) -> list[nn.Parameter]:
    """Return the weights that a player trains."""
    return [p for group in player.param_groups for p in group["params"]]


def play_step(
    gan: GAN[Any],
    players: Mapping[str, Optimizer],
    parts: Sequence[Any],
    clock: Clock,
    amp: Amp = nullcontext,
    slower: float = 1.0,
) -> dict[str, Tensor]:
    """Play one step on a batch given in micro-batches; return every term and stat by name.

    `slower` scales the learning rates that a schedule sets.
    """
    follow_schedule(gan, players, clock, slower)
    return play_turns(gan, players, parts, clock, amp)


def follow_schedule(gan: GAN[Any], players: Mapping[str, Optimizer], clock: Clock, slower: float = 1.0) -> None:
    """Apply the schedule to the optimisers; fill settings that are tensors in place, as a CUDA graph may read them."""
    for name, options in gan.schedule(clock).items():
        for group in players[name].param_groups:
            for key, value in {**options, **({"lr": options["lr"] * slower} if "lr" in options else {})}.items():
                if isinstance(group[key], Tensor):
                    group[key].fill_(value)
                else:
                    group[key] = value


def play_turns(
    gan: GAN[Any], players: Mapping[str, Optimizer], parts: Sequence[Any], clock: Clock, amp: Amp = nullcontext
) -> dict[str, Tensor]:
    """Play the turns of a step.

    The games of all micro-batches advance in lockstep: a turn's gradients are accumulated over all of them before its
    player moves. The player does not move if the loss or a gradient is not finite.
    """
    log: dict[str, Tensor] = {}
    games, own = [gan.play(part, clock) for part in parts], Parts(len(parts))
    while turns := list(_next_turns(gan, games, own, amp, players)):
        player = players[turns[0].player]
        dist.average_gradients(parameters(player))
        loss = torch.stack([turn.loss for turn in turns]).sum()
        bad = not_finite(loss, [p.grad for p in parameters(player) if p.grad is not None])
        step_unless(bad, player)
        log[SKIPPED] = torch.maximum(log[SKIPPED], bad) if SKIPPED in log else bad
        means = {name: torch.stack([turn.values[name] for turn in turns]).mean(0) for name in turns[0].values}
        gan.moved(turns[0].player, means)
        for name, value in means.items():
            key = f"{turns[0].player}/{name}"
            log[key] = log[key] + value if key in log else value
    return log


class _Played(NamedTuple):
    """The results of a micro-batch's turn after its gradients are accumulated."""

    player: str
    loss: Tensor
    values: dict[str, Tensor]  # terms and stats, detached


def _next_turns(
    gan: GAN[Any], games: Sequence[Iterator[Turn]], own: Parts, amp: Amp, players: Mapping[str, Optimizer]
) -> Iterator[_Played]:
    """Advance every game to its next turn and accumulate that turn's gradients."""
    for i, game in enumerate(games):
        with amp(), own.playing(i):
            turn = next(game, None)
        if turn is None:
            continue
        player = _player(turn, gan, players)
        if i == 0:
            player.zero_grad(set_to_none=True)
            if turn.fresh:
                player.state.clear()
        loss = torch.stack([term.float() for term in turn.terms.values()]).sum() / len(games)
        loss.backward(inputs=parameters(player))  # only this player's gradients
        values = {name: value.detach().float() for name, value in {**turn.terms, **turn.stats}.items()}
        yield _Played(turn.player, loss.detach(), values)


def apart_in_parts(gan: GAN[Any]) -> str:
    """Describe what sees only one micro-batch in this GAN; return an empty string if nothing does."""
    *most, last = gan.mixes() or ("",)
    names = f"{', '.join(most)} and {last}" if most else last
    return f"{names} see{'s' * (not most)} one micro-batch at a time, not the whole batch" if last else ""


def slow_down(players: Mapping[str, Optimizer], slower: float) -> None:
    """Scale the learning rates that no schedule sets."""
    for player in players.values():
        for group in player.param_groups:
            group["lr"] *= slower


def check_game(gan: GAN[Any], players: Mapping[str, Optimizer]) -> None:
    """Raise BrokenVariant if the variant has a trainable weight that no player trains."""
    moved = {p for player in players.values() for p in parameters(player)}
    idle = [name for name, p in gan.named_parameters() if p not in moved and p.requires_grad]
    if idle:
        raise broken(
            gan, f"has weights that no player trains: {', '.join(idle[:3])}: give them to an optimiser in players()"
        )


def _player(turn: Turn, gan: GAN[Any], players: Mapping[str, Optimizer]) -> Optimizer:
    if turn.player not in players:
        raise broken(gan, f"yields a turn of {turn.player!r}, but players() has {', '.join(players)}")
    return players[turn.player]


class Meter:
    """Average terms and stats since the last reading, summed on the device; only reading waits for it."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, log: Mapping[str, Tensor]) -> None:
        """Add one step."""
        for name, value in log.items():
            if name in self._sums:
                self._sums[name] += value
            else:
                self._sums[name] = value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """Return the means over steps and processes, and reset."""
        if not self._sums:
            return {}
        totals = dist.mean_over_ranks(torch.stack(list(self._sums.values()))).tolist()
        means = {name: total / self._counts[name] for name, total in zip(self._sums, totals)}
        self._sums, self._counts = {}, {}
        return means
