"""The features of the local extractor: better images score better, on one scale for all data."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.data.request import Wanted
from gancli.data.sources import builtin
from gancli.evaluation.extractors import local
from gancli.evaluation.image_sets import Arrays
from gancli.evaluation.protocol import extractor_facts
from gancli.images.pixels import grey_to_colour, to_floats
from gancli.metrics import fid, prdc
from gancli.metrics.features import Features

CPU = torch.device("cpu")
DATA = ("shapes-easy", "digits", "bars-and-stripes")
FEATURES = sum(local.CHANNELS)


def images(name: str, count: int) -> tuple[Tensor, Tensor]:
    """Images in random order, with their labels."""
    pictures = builtin.open_builtin(name, Wanted((8, 8) if name == "bars-and-stripes" else None))
    kept = torch.randperm(len(pictures.images), generator=torch.Generator().manual_seed(0))[:count]
    return torch.from_numpy(pictures.images)[kept], torch.from_numpy(pictures.labels).long()[kept]


def pixels(x: Tensor) -> Tensor:
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def ladder(held: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Real images, and the same ever worse."""
    x, generator = to_floats(held), torch.Generator().manual_seed(1)
    noise = torch.randn(x.shape, generator=generator)
    yield "real", held
    yield "faint noise", pixels(x + 0.02 * noise)
    yield "slight noise", pixels(x + 0.1 * noise)
    yield "strong noise", pixels(x + 0.5 * noise)
    yield "constant", pixels(torch.full_like(x, float(x.mean())))


def blurred(held: Tensor, share: float) -> Tensor:
    x = to_floats(held)
    return pixels(torch.lerp(x, F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), share))


class Scores:
    """The reference of a data set, the rest of it, and the distance and precision of any images."""

    def __init__(self, name: str) -> None:
        rows, labels = images(name, 1200)
        half = len(rows) // 2
        self.held = rows[half:]
        self._extractor = local.Local(Arrays(name, rows[:half], "", labels[:half]), CPU)
        self._real = Features.of(self._features(rows[:half]))

    def _features(self, rows: Tensor) -> Tensor:
        return torch.cat([self._extractor(grey_to_colour(part))[0] for part in rows.split(256)])

    def distance(self, rows: Tensor) -> float:
        return fid.frechet(Features.of(self._features(rows)), self._real)

    def precision(self, rows: Tensor) -> float:
        assert self._real.rows is not None
        return prdc.precision_recall(self._features(rows), self._real.rows)[0]


@pytest.fixture(scope="module")
def scores() -> dict[str, Scores]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "STEPS", 60)
        patch.setattr(local, "VERSION", -local.VERSION)  # networks of few steps stay out of other tests
        return {name: Scores(name) for name in DATA}


@pytest.mark.parametrize("name", DATA)
def test_worse_images_are_farther_away(scores: dict[str, Scores], name: str) -> None:
    found = {rung: scores[name].distance(rows) for rung, rows in ladder(scores[name].held)}
    assert list(found.values()) == sorted(found.values()), found
    blurs = [scores[name].distance(blurred(scores[name].held, share)) for share in (0, 0.1, 0.3, 1)]
    assert blurs == sorted(blurs)
    assert blurs[1] < found["strong noise"]
    assert blurs[-1] < found["constant"]


@pytest.mark.parametrize("name", DATA)
def test_no_distance_loses_all_scale(scores: dict[str, Scores], name: str) -> None:
    """Squared distances are at most some tens of units a feature, also where real images hardly differ."""
    found = {rung: scores[name].distance(rows) for rung, rows in ladder(scores[name].held)}
    assert max(found.values()) < 10 * FEATURES, found


def test_a_constant_is_about_as_far_away_on_all_data(scores: dict[str, Scores]) -> None:
    found = [scores[name].distance(dict(ladder(scores[name].held))["constant"]) for name in DATA]
    assert max(found) < 3 * min(found), found


@pytest.mark.parametrize("name", DATA)
def test_precision_falls_down_the_ladder(scores: dict[str, Scores], name: str) -> None:
    found = [scores[name].precision(rows) for _, rows in ladder(scores[name].held)]
    assert found[0] > 0.85
    assert found[0] > found[1] - 0.03  # which nobody can see
    assert found[1:] == sorted(found[1:], reverse=True)
    assert found[-2] < 0.1


def test_two_images_are_features_of_their_own(scores: dict[str, Scores]) -> None:
    held = scores["digits"].held[:9]
    together = scores["digits"]._features(held)
    apart = torch.cat([scores["digits"]._features(held[i : i + 1]) for i in range(9)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)


def test_the_protocol_names_the_version(scores: dict[str, Scores]) -> None:
    """Numbers of another version are refused: features have other units."""
    facts = extractor_facts(scores["digits"]._extractor)
    assert facts["weights"].startswith(f"v{-local.VERSION}-")


def test_images_without_classes_have_one_network_however_they_are_labelled() -> None:
    """Models that could use labels mark images without any with -1: their scores are those of the others."""
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    none, some = torch.full((4,), -1), torch.tensor([0, 1, 0, -1])
    plain, marked, labelled = (Arrays("x", images, labels=labels).content() for labels in (None, none, some))
    assert plain == marked != labelled
