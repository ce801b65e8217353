"""The table of metrics knows every number that an evaluation can give, and no other."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gancli.evaluation.known_truth
import gancli.metrics
from gancli.data.synthetic import shapes as shapes_data
from gancli.data.synthetic.points import MIXTURES
from gancli.errors import UserError
from gancli.evaluation.extractors.extractor_table import EXTRACTORS, make_extractor
from gancli.evaluation.known_truth import accuracy, domains, points, shapes
from gancli.metrics import scores, table
from gancli.metrics.features import Features
from tests.conftest import Cli
from tests.metrics import test_ppl

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


def of_paths() -> Numbers:
    return test_ppl.lengths(test_ppl.Styles(), 3)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """All numbers that there are: each score is taken of something small."""
    found: dict[str, float] = {}
    known = (of_shapes(), of_domains(monkeypatch), of_points(), of_labels())
    for part in (*known, of_features(), of_pixels(), of_paths()):
        found |= part
    return found


def test_every_number_has_a_row_with_a_direction(emitted: dict[str, float]) -> None:
    for name in emitted:
        assert table.metric(name).better in ("up", "down") or 0 <= float(table.metric(name).better) <= 1, name


def test_every_row_is_a_number_that_there_is(emitted: dict[str, float]) -> None:
    assert {table.metric(name).name for name in emitted} == {row.name for row in table.METRICS}
    assert len({row.name for row in table.METRICS}) == len(table.METRICS)


def test_every_score_is_in_the_table() -> None:
    assert {*scores.SCORES, *scores.PIXELS, table.KNOWN_TRUTH, "ppl"} == set(table.SCORES)
    assert set(scores.SCORES) == {name for name in table.SCORES if table.of_features(name)}


def test_no_score_is_missing_above() -> None:
    """Whatever in `gancli.metrics` gives numbers by name is taken by one of the functions of this file."""
    giving = set()
    packages = (gancli.metrics, gancli.evaluation.known_truth)
    for found in [m for p in packages for m in pkgutil.iter_modules(p.__path__, f"{p.__name__}.")]:
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            gives = inspect.signature(function).return_annotation in (dict[str, float], scores.Numbers)
            if function.__module__ == module.__name__ and gives and not name.startswith("_"):
                giving.add(f"{found.name.rpartition('.')[2]}.{name}")
    taken = {"shapes.score", "points.score", "accuracy.accuracy", "scores.measure"}
    assert giving == taken | {f"domains.{name}" for name in ("score_gan", "score_direction", "score", "compare")}


@pytest.mark.parametrize("name", ["fdi", "domain_rigth", "XY_iou", "fid_class_", "frechet_clas_1", ""])
def test_an_unknown_number_is_an_error_that_names_near_ones(name: str) -> None:
    for ask in (table.metric, lambda name: table.selection_score({name: 1.0}), lambda name: table.shown(name, 1.0)):
        with pytest.raises(UserError, match=f"^no metric '{name}'; (did you mean|choose from) "):
            ask(name)


@given(st.sampled_from(table.METRICS), st.floats(-100, 100), st.floats(-100, 100))
def test_one_number_is_ordered_by_its_direction(row: table.Metric, one: float, other: float) -> None:
    if not row.judges:
        with pytest.raises(UserError, match="none of these measures a model's quality"):
            table.selection_score({row.name: one})
        return
    order: dict[object, Callable[[float], float]] = {"up": lambda x: x, "down": lambda x: -x}
    key = order.get(row.better, lambda x: -abs(x - 0.5))
    first, second = (table.selection_score({row.name: value}) for value in (one, other))
    assert (first > second) == (key(one) > key(other))


def side(rows: torch.Tensor, certain: float) -> Features:
    """Images of three classes, which the extractor tells apart more or less."""
    labels = torch.arange(len(rows)) % 3
    found = Features.of(rows, certain * torch.nn.functional.one_hot(labels, 3).float())
    return Features(found.moments, found.rows, found.logits, labels)


def of_good_and_bad_features() -> Iterator[tuple[Numbers, Numbers]]:
    real, fresh = (torch.randn(60, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    for names, bad in (
        ([name for name in scores.SCORES if name != "copies"], side(fresh + 10, 0.1)),
        (["copies"], side(real, 9)),
    ):
        good, other = (scores.measure(names, fake, side(real, 9), inception=True) for fake in (side(fresh, 9), bad))
        yield good, other


def of_good_and_bad_pictures() -> Iterator[tuple[Numbers, Numbers]]:
    preset = shapes_data.PRESETS["shapes-domains"]
    f = shapes_data.factors(preset, 0, np.arange(30))
    wrong = {name: np.roll(value, 1) for name, value in f.items()} | {"texture": 1 - f["texture"]}
    drawn, other = (shapes_data.render(preset, factors, 32) for factors in (f, wrong))
    broken = np.concatenate([drawn[:1], drawn[:1], 255 - drawn])
    yield shapes.score(preset, drawn), shapes.score(preset, broken)
    yield domains.compare(preset, f, drawn), domains.compare(preset, f, other)
    truth = torch.from_numpy(drawn)
    good, bad = (
        {name: float(of(x, truth).mean()) for name, of in scores.PIXELS.items()} for x in (truth, truth.flip(0))
    )
    yield good, bad


def of_good_and_bad_others() -> Iterator[tuple[Numbers, Numbers]]:
    ring = MIXTURES["ring8"]
    centres = np.asarray(ring.centres, np.float32)
    yield points.score(ring, centres), points.score(ring, np.concatenate([centres[:1], 9 * centres[:1]]))
    yield {"accuracy": 0.9}, {"accuracy": 0.1}
    good, bad = (test_ppl.lengths(test_ppl.Styles(size), 20) for size in (0.01, 0.1))
    yield good, bad


def test_what_is_plainly_better_is_better_by_every_number() -> None:
    """No row points the wrong way."""
    decided = set()
    for good, bad in (*of_good_and_bad_features(), *of_good_and_bad_pictures(), *of_good_and_bad_others()):
        for name in good:
            if table.metric(name).judges and good[name] != bad[name]:
                assert table.selection_score({name: good[name]}) > table.selection_score({name: bad[name]}), name
                decided.add(table.metric(name).name)
    assert decided == {row.name for row in table.METRICS if row.judges}


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
