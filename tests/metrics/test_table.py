"""The table of metrics knows every number that an evaluation can give, and no other."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gancli.metrics
from gancli.data import shapes as shapes_data
from gancli.data.points import MIXTURES
from gancli.errors import UserError
from gancli.metrics import accuracy, domains, points, scores, shapes, table
from gancli.metrics.extractor_table import EXTRACTORS, make_extractor
from gancli.metrics.features import Features
from tests.conftest import Cli

Numbers = Mapping[str, float]
CPU = torch.device("cpu")


def features(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(60, 4, generator=generator)
    found = Features.of(rows, torch.randn(60, 3, generator=generator))
    return Features(found.moments, found.rows, found.logits, torch.arange(60) % 3)


class Translator:
    """Goes both ways, and gives back what it gets."""

    directions, device = ("AB", "BA"), CPU
    spec = SimpleNamespace(domains=("outlined", "filled"), height=32, width=32)

    def translate(self, image: torch.Tensor, direction: str = "AB") -> torch.Tensor:
        return image


class Classifier:
    """Takes everything for the first of two classes."""

    classes = ("a", "b")

    def classify(self, image: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0]]).expand(len(image), 2)


class Rows:
    """Four labelled images."""

    def __len__(self) -> int:
        return 4

    def batch(self, index: torch.Tensor, device: torch.device) -> SimpleNamespace:
        return SimpleNamespace(image=torch.zeros(len(index), 1, 8, 8), label=index % 2)


def of_shapes() -> Numbers:
    preset = shapes_data.PRESETS["shapes-easy"]
    drawn = shapes_data.render(preset, shapes_data.factors(preset, 0, np.arange(4)), 32)
    return shapes.score(preset, drawn)


def of_domains(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    monkeypatch.setattr(domains, "TRANSLATED", 4)
    monkeypatch.setattr(domains, "Translates", Translator)
    return domains.score_gan(shapes_data.PRESETS["shapes-domains"], Translator())  # pyright: ignore[reportArgumentType]


def of_points() -> Numbers:
    return points.score(MIXTURES["ring8"], np.zeros((5, 2), np.float32))


def of_labels() -> Numbers:
    return accuracy.accuracy(Classifier(), Rows(), CPU)  # pyright: ignore[reportArgumentType]


def of_features() -> Numbers:
    found = {}
    for inception in (True, False):
        found |= scores.measure(list(scores.SCORES), features(0), features(1), inception=inception)
    return found


def of_pixels() -> Numbers:
    return dict.fromkeys(scores.PIXELS, 0.0)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """All numbers that there are: each score is taken of something small."""
    found: dict[str, float] = {}
    for part in (of_shapes(), of_domains(monkeypatch), of_points(), of_labels(), of_features(), of_pixels()):
        found |= part
    return found


def test_every_number_has_a_row_with_a_direction(emitted: dict[str, float]) -> None:
    for name in emitted:
        assert table.metric(name).better in ("up", "down") or 0 <= float(table.metric(name).better) <= 1, name


def test_every_row_is_a_number_that_there_is(emitted: dict[str, float]) -> None:
    assert {table.metric(name).name for name in emitted} == {row.name for row in table.METRICS}
    assert len({row.name for row in table.METRICS}) == len(table.METRICS)


def test_every_score_is_in_the_table() -> None:
    assert {*scores.SCORES, *scores.PIXELS, table.KNOWN_TRUTH} == set(table.SCORES)
    assert set(scores.SCORES) == {name for name in table.SCORES if table.of_features(name)}


def test_no_score_is_missing_above() -> None:
    """Whatever in `gancli.metrics` gives numbers by name is taken by one of the functions of this file."""
    giving = set()
    for found in pkgutil.iter_modules(gancli.metrics.__path__):
        module = importlib.import_module(f"gancli.metrics.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            gives = inspect.signature(function).return_annotation in (dict[str, float], scores.Numbers)
            if function.__module__ == module.__name__ and gives and not name.startswith("_"):
                giving.add(f"{found.name}.{name}")
    taken = {"shapes.score", "points.score", "accuracy.accuracy", "scores.measure"}
    assert giving == taken | {f"domains.{name}" for name in ("score_gan", "score_direction", "score", "compare")}


@pytest.mark.parametrize("name", ["fdi", "domain_rigth", "XY_iou", "fid_class_", "frechet_clas_1", ""])
def test_an_unknown_number_is_an_error_that_names_near_ones(name: str) -> None:
    for ask in (table.metric, lambda name: table.selection_score({name: 1.0}), lambda name: table.shown(name, 1.0)):
        with pytest.raises(UserError, match=f"^no metric '{name}'; (did you mean|there are) "):
            ask(name)


@given(st.sampled_from(table.METRICS), st.floats(-100, 100), st.floats(-100, 100))
def test_one_number_is_ordered_by_its_direction(row: table.Metric, one: float, other: float) -> None:
    if not row.judges:
        with pytest.raises(UserError, match="how good a model is"):
            table.selection_score({row.name: one})
        return
    order: dict[object, Callable[[float], float]] = {"up": lambda x: x, "down": lambda x: -x}
    key = order.get(row.better, lambda x: -abs(x - 0.5))
    first, second = (table.selection_score({row.name: value}) for value in (one, other))
    assert (first > second) == (key(one) > key(other))


def test_shares_are_shown_in_percent() -> None:
    assert [table.shown(name, 0.25) for name in ("AB_shape_right", "1nn", "frechet")] == ["25.0%", "25.0%", "0.25"]


def test_an_extractors_name_that_there_is_not() -> None:
    with pytest.raises(UserError, match=r"^no extractor 'incepton'; did you mean inception"):
        make_extractor("incepton", None, CPU)


def test_the_manual_lists_the_tables() -> None:
    manual = (Path(gancli.__file__).parent.parent / "docs/evaluation.md").read_text()
    for name in (*table.SCORES, *EXTRACTORS):
        assert f"`{name}`" in manual, name


def test_help_is_read_off_the_tables(cli: Cli) -> None:
    said = "".join(cli("eval", "--help").out.replace("│", "").split())  # a line may end within a name
    for name in (*table.SCORES, *EXTRACTORS):
        assert name in said, name
