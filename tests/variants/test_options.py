"""Every hyperparameter of every variant does something: with another value, something else is learnt."""

import dataclasses
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.checkpoints.ema import EMA
from gancli.data.request import Request
from gancli.engine.step import play_step
from gancli.errors import UserError
from gancli.gan import Clock
from gancli.hparams import words
from gancli.system.seeds import seed_all
from tests.conftest import Cli
from tests.variants.small import feed, make

TOTAL = 1000
PLACES = (0, 900)  # images seen before each step: learning rates fall, and warm-ups end, in between
LATER = ("kimg", "ema_kimg")  # of the loop and of the averaged copy: each has a test of its own below
LATER = (*LATER, "ada_target", "ada_kimg")  # act after four steps, where D is sure of real images: in test_ada.py
NEEDS: dict[tuple[str, str], dict[str, Any]] = {  # the options without which another is refused, or does nothing
    ("aae", "prior"): {"z_dim": 2},
    ("", "penalty_every"): {"r1": 1.0},  # of every variant
    ("", "g_lr"): {"n_critic": 1},
    ("", "r1"): {"penalty_every": 1},
    ("", "r2"): {"penalty_every": 1},
    ("", "orthogonal"): {"n_critic": 1},
    ("", "ada"): {"augment": "ada", "ada_p": 0.5},
    ("r3gan", "ada"): {},
    ("", "ada_p"): {"augment": "ada"},
    ("r3gan", "ada_p"): {},
    ("", "augment"): {"ada_p": 0.5},
    ("r3gan", "augment"): {},
    ("stylegan3", "blur"): {"kind": "r"},
    ("stylegan3", "blur_kimg"): {"kind": "r"},
}
CASES = [
    (name, field.name)
    for name in registry.names()
    for field in dataclasses.fields(registry.hyperparameters(name))
    if field.name not in LATER
]
Options = tuple[tuple[str, Any], ...]


def others(kind: type, field: "dataclasses.Field[Any]", value: Any) -> Iterator[Any]:
    """Some other values that an option may have, all of a choice."""
    said = words(kind, field.name)
    if value is None:
        yield from (0.1, 1.0)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from (choice for choice in get_args(get_type_hints(kind)[field.name]) if choice != value)
    else:
        low, high = said["min"] or 0, said["max"]
        near = [value * 2, value + 1, value // 2, value - 1] if isinstance(value, int) else [value / 2, value + 0.3]
        tried = [*near, max(low, 1), *([high] if high else [])]
        yield from (new for new in tried if new != value and low <= new <= (high or new))


@cache
def learnt(name: str, options: Options) -> dict[str, Tensor]:
    """The state after some steps, and the terms of each."""
    gan = make(name, **dict(options))
    players, data = gan.players(), feed(gan)
    found: dict[str, Tensor] = {}
    for step, place in enumerate(PLACES):
        seed_all("step", 0, step)
        gan.train()
        log = play_step(gan, players, [data.at(place)], Clock(step, place, TOTAL))
        found |= {f"{step} {term}": value for term, value in log.items()}
    return found | gan.state_dict()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def acts(name: str, option: str, value: Any, given: dict[str, Any]) -> bool:
    """Whether a value makes a difference to what is learnt, or can be refused by one line."""
    try:
        return not same(learnt(name, tuple(given.items())), learnt(name, (*given.items(), (option, value))))
    except UserError:  # not at this size; another value must do
        return False


@pytest.mark.parametrize("name", registry.names())
def test_a_default_is_that_of_the_nearest_class_that_states_one(name: str) -> None:
    """As for any attribute. A dataclass takes it from the first base, which may only have inherited an older one."""
    kind = registry.hyperparameters(name)
    for field in dataclasses.fields(kind):
        nearest = next(base for base in kind.__mro__ if field.name in inspect.get_annotations(base))
        assert field.default == vars(nearest)[field.name], f"{field.name}: order the bases of {kind.__mro__[0]}"


@pytest.mark.parametrize(("name", "option"), CASES)
def test_every_option_changes_something(name: str, option: str) -> None:
    if option == "labels_per_class":
        assert examples(name, 3) < examples(name, 5) < examples(name, 0)
        return
    if option == "labels":  # of the data
        kind: Any = registry.load(name)
        found = [kind.dataset(kind.hparams(labels=asked), Request("digits")).spec.classes for asked in (False, True)]
        assert [len(classes) for classes in found] == [0, 10]
        return
    given = NEEDS.get((name, option), NEEDS.get(("", option), {}))
    hp = make(name, **given).hp
    field = next(field for field in dataclasses.fields(hp) if field.name == option)
    tried = list(others(type(hp), field, getattr(hp, option)))
    enough = all if isinstance(getattr(hp, option), str) else any
    assert tried
    assert enough(acts(name, option, value, given) for value in tried), f"{tried} do what {getattr(hp, option)} does"


def examples(name: str, per_class: int) -> int:
    """How many labels are shown."""
    kind: Any = registry.load(name)
    return len(kind.dataset(kind.hparams(labels_per_class=per_class), Request("digits")).rows["label"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dcgan", {"augment": "diffaugment", "mirror": True, "r1": 1.0, "r2": 1.0, "penalty_every": 1}),
        ("r3gan", {"augment": "ada", "ada": "bgcfnc", "mirror": True}),
        ("stylegan2", {"mirror": True, "r1_every": 1, "path_every": 1, "augment": "ada", "ada": "bgcfnc"}),
        ("stylegan3", {"kind": "r", "blur": 2.0, "r1_every": 1, "augment": "ada"}),
        ("biggan", {"rotation": 0.5, "orthogonal": 1e-4, "log_singular_values": True, "attention": 8}),
        ("sngan-proj", {"labels_per_class": 2}),
        ("fastgan", {"augment": "diffaugment", "mirror": True}),
    ],
    ids=str,
)
def test_what_options_add_to_a_step_stays_on_its_device(name: str, options: dict[str, Any]) -> None:
    """On meta tensors, one made on the CPU raises, as it would beside a GPU's; so does reading one back."""
    small = make(name, n_critic=1, **options)
    gan, batch = small.to("meta"), feed(small).at(0).map(lambda t: t.to("meta"))
    gan.schedule(Clock(0, 0, TOTAL))
    for turn in gan.play(batch, Clock(0, 0, TOTAL)):
        torch.stack(list(turn.terms.values())).sum().backward()
        gan.moved(turn.player, {**turn.terms, **turn.stats})


@pytest.mark.parametrize("name", registry.names())
def test_the_half_life_of_the_average_changes_it(name: str) -> None:
    gan = make(name)
    late = Clock(1, 10**6, 10**6)
    copies = {half_life: EMA(gan) for half_life in (0.0, 1.0, 10.0)}
    with torch.no_grad():
        for weight in gan.parameters():
            weight += 1
    for half_life, ema in copies.items():
        gan.hp = dataclasses.replace(gan.hp, ema_kimg=half_life)
        ema.update(gan.ema_half_life(late), gan.hp.batch)
    found = [ema.gan.state_dict() for ema in copies.values()]
    assert not any(same(found[i], found[j]) for i, j in [(0, 1), (1, 2), (0, 2)])


def test_kimg_is_the_length(cli: Cli, pictures: Path) -> None:
    said = [cli("train", "gan", "--data", pictures, "--kimg", kimg, "--dry-run").out for kimg in (3, 6)]
    assert ["length    3 kimg" in text for text in said] == [True, False]
    assert ["length    6 kimg" in text for text in said] == [False, True]
