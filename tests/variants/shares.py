"""The gradients of every turn of a game, for a batch that is whole, in parts or spread over processes."""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from gancli import registry
from gancli.engine.step import parameters, play_step
from gancli.gan import GAN, Clock
from gancli.system import dist
from gancli.system.seeds import seed_all
from tests.variants.small import SPEC, feed, make

STEPS = 2
NOTHING = 1e-5  # rounding errors of a sum, such as that of a last bias whose gradients cancel out
OPTIONS: dict[str, Sequence[dict[str, Any]]] = {  # beside the defaults: whatever else has a term of its own
    "aae": [{"z_dim": 2, "prior": "mixture"}],
    "began": [{"gamma": 5.0}],  # so that k leaves 0
    "bgan": [{"levels": 0}],
    "cgan": [{"conditioning": "two-net"}],
    "context-encoder": [{"holes": "square"}, {"holes": "blocks"}],
    "cyclegan": [{"mirror": True, "enlarge": 0.2}],
    "dualgan": [{"dropout": 0.0}],
    "improved": [{"feature_matching": True}, {"history_weight": 0.5}, {"kernels": 0}],
    "progan": [{"phase_kimg": 0.005}, {"grow": False, "mirror": True}],  # in the middle of a fade; at full size
    "stylegan": [{"phase_kimg": 0.005, "labels": False}, {"grow": False, "mixing": 0.0, "mirror": True}],
    "stylegan2": [
        {"labels": False},
        {"augment": "ada", "ada_target": 0.0},
        {"mixing": 0.0, "mirror": True, "r1_every": 1, "path_every": 1},
    ],
    "stylegan3": [{"augment": "ada", "ada_p": 0.8}],
    "sgan": [{"rule": "salimans"}],
    "sngan-proj": [{"labels": False, "n_critic": 1}, {"n_critic": 1, "rotation": 1.0, "labels_per_class": 2}],
    "unit": [{"mirror": True, "enlarge": 0.2}],
    "r3gan": [{"labels": False, "anneal": 0.0, "ada_p": 0.8, "ada": "bgcfnc"}],
    "rpgan": [{"stddev": True, "g_norm": "none", "mapping": 2}],
    "wgan": [{"d_norm": "batch"}],
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    " ".join([name, *(f"{key}={value}" for key, value in options.items())]): (name, options)
    for name in registry.names()
    for options in [{}, *OPTIONS.get(name, [])]
}


class Plain(SGD):
    """Steps by the gradient, which it keeps: Adam would hide its size, and blow rounding up to a whole step."""

    kept: ClassVar[list[list[Tensor]]] = []

    def __init__(self, weights: Sequence[nn.Parameter], lr: float) -> None:
        super().__init__([{"params": weights, "betas": (0.0, 0.0)}], lr)  # a schedule may set Adam's

    def step(self, closure: Any = None) -> Any:
        self.kept.append([p.grad.clone() for p in parameters(self) if p.grad is not None])
        return super().step(closure)


@dataclass
class Played:
    """What came of some steps: the gradients of each turn, and weights and buffers at the end."""

    turns: list[list[Tensor]] = field(default_factory=list)
    state: dict[str, Tensor] = field(default_factory=dict)


def built(case: str) -> GAN[Any]:
    """Build the networks of a case."""
    name, options = CASES[case]
    gan = make(name, SPEC, **options)
    with torch.no_grad():
        for weight in gan.parameters():
            if weight.dim() > 1:  # as wide as He's: logits near 0 would hide what bends a loss
                weight *= (2 / weight[0].numel()) ** 0.5 / weight.std().clamp_min(1e-6)
    return gan


@contextmanager
def in_double() -> Iterator[None]:
    """Compute in float64, also what asks for float32: there, a rounding error can turn the slope of |x| round."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(Tensor, "float", Tensor.double):
            yield
    finally:
        torch.set_default_dtype(before)


def doubled(batch: Any) -> Any:
    """A batch with its images in float64."""
    columns = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return type(batch)(**{name: x.double() if x.is_floating_point() else x for name, x in columns.items()})


@in_double()
def play(case: str, parts: int = 1, prepare: Callable[[nn.Module], None] = lambda _: None) -> Played:
    """Play some steps of a case, with the batch in `parts`."""
    gan = built(case)
    players: Mapping[str, Optimizer] = {who: Plain(parameters(player), 0.01) for who, player in gan.players().items()}
    Plain.kept = []
    data = feed(gan)
    for column in data.dataset.columns.values():
        if column.dtype == torch.uint8:  # from a quarter of the contrast to all of it: parts of a batch must differ
            column.copy_(column * torch.linspace(0.25, 1, len(column))[:, None, None, None])
    for step in range(STEPS):
        seed_all("step", 0, step)
        gan.train()
        gan.apply(prepare)
        batch = doubled(data.at(step * data.batch))
        play_step(gan, players, batch.split(parts), Clock(step, step * data.batch, 1000))
    return Played(Plain.kept, {name: value.clone() for name, value in gan.state_dict().items()})


def apart(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """How far two lists of tensors are apart, beside their size; what is below NOTHING is a sum that cancelled out."""
    first, second = (torch.cat([t.double().flatten() for t in tensors]) for tensors in (one, other))
    return float((first - second).norm() / first.norm().clamp_min(NOTHING))


def differences(one: Played, other: Played) -> dict[str, float]:
    """How far two ways to play are apart: turn by turn, and buffer by buffer."""
    assert len(one.turns) == len(other.turns)
    found = {f"turn {i}": apart(a, b) for i, (a, b) in enumerate(zip(one.turns, other.turns))}
    return found | {name: apart([one.state[name]], [other.state[name]]) for name in one.state}


def main() -> None:
    """Play every case as one of several processes; the first writes what came of it to the file that is named."""
    torch.set_num_threads(1)
    with dist.joined():
        played = {case: play(case) for case in CASES}
        if dist.rank() == 0:
            torch.save({case: vars(result) for case, result in played.items()}, sys.argv[1])
