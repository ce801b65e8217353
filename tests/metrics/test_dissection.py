"""IoU and information quality in closed form, and the counts behind them against counting by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gancli.metrics.dissection import THRESHOLDS, Agreement, agreement, histogram, information_quality, iou, matches
from gancli.metrics.dissection import thresholds as candidates


def table(both: float, fires: float, present: float, points: float) -> Agreement:
    return Agreement(*(torch.tensor(float(value)).double() for value in (both, fires, present, points)))


@pytest.mark.parametrize(
    ("both", "fires", "present", "overlap", "quality"),
    [
        (50, 50, 50, 1, 1),
        (0, 50, 50, 0, 1),  # the opposite tells as much
        (25, 50, 50, 1 / 3, 0),  # independent
        (0, 0, 50, 0, 0),
        (0, 0, 0, 0, 0),
        (100, 100, 100, 1, 0),  # both are constant
        # shares 1/4, 1/4, 0, 1/2: H(U) = 1 bit, H(C) = 2 - 3/4 log2 3, H(U, C) = 3/2 bits
        (25, 50, 25, 1 / 2, (1 + 2 - 0.75 * math.log2(3) - 1.5) / 1.5),
    ],
)
def test_closed_forms(both: int, fires: int, present: int, overlap: float, quality: float) -> None:
    found = table(both, fires, present, 100)
    assert float(iou(found)) == pytest.approx(overlap)
    assert float(information_quality(found)) == pytest.approx(quality, abs=1e-12)


def planted(seed: int, units: int = 3, points: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """Draw activations with ties, labels from -1 to 3, and thresholds."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-4, 5, (units, points), generator=generator).float() / 2
    label = torch.randint(-1, 4, (points,), generator=generator)
    bounds = torch.randint(-5, 6, (units, 5), generator=generator).sort().values.float() / 2
    return values, label, bounds


MEMBERS = torch.tensor(
    [[0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0]]
).bool()  # labels that belong to concepts that overlap


@given(st.integers(0, 10**6))
def test_counts_are_those_of_counting(seed: int) -> None:
    values, label, bounds = planted(seed)
    found = agreement(histogram(values, label, bounds, len(MEMBERS)), MEMBERS)
    known = label >= 0
    there = MEMBERS[label[known]].T  # (C, P)
    fires = values[:, None, known] > bounds[:, :, None]  # (U, T, P)
    both = (fires[:, None] & there[None, :, None]).sum(3)
    assert torch.equal(found.both, both.double())
    assert torch.equal(found.fires.expand_as(both), fires.sum(2)[:, None].expand_as(both).double())
    assert torch.equal(found.present[0, :, 0], there.sum(1).double())
    assert float(found.points) == int(known.sum())
    either = (fires[:, None] | there[None, :, None]).sum(3)
    torch.testing.assert_close(iou(found), both / either.clamp(min=1).double())
    assert ((information_quality(found) >= 0) & (information_quality(found) <= 1 + 1e-9)).all()


@given(st.integers(0, 10**6), st.integers(0, 40))
def test_counts_of_parts_add_up(seed: int, cut: int) -> None:
    values, label, bounds = planted(seed)
    parts = [histogram(values[:, at], label[at], bounds, 4) for at in (slice(cut), slice(cut, None))]
    assert torch.equal(parts[0] + parts[1], histogram(values, label, bounds, 4))


@given(st.integers(0, 10**6))
def test_candidates_increase_and_reach_the_top(seed: int) -> None:
    values = torch.randn(2, 500, generator=torch.Generator().manual_seed(seed))
    found = candidates(values)
    assert found.shape == (2, THRESHOLDS)
    assert (found.diff() >= 0).all()
    share = (values[:, None] > found[:, :, None]).float().mean(2)
    assert (share[:, 0] > 0.9).all()
    assert (share[:, -1] < 0.01).all()


def test_the_threshold_is_chosen_on_one_half_and_scored_on_the_other() -> None:
    """Unit 0 exceeds 1 where the concept is; unit 1 is its negative, which detects nothing though it tells all."""
    label = torch.tensor([0, 0, 0, 1, 1, 1])
    here = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
    bounds = torch.tensor([[0.2, 1.0, 2.5], [-2.5, -1.2, -0.2]])
    half, members = torch.stack([here, -here]), torch.tensor([[False], [True]])
    wrong = torch.stack([here.roll(1), -here])
    counts = [histogram(values, label, bounds, 2) for values in (half, wrong)]
    same, moved = matches((counts[0], counts[0]), bounds, members), matches((counts[0], counts[1]), bounds, members)
    assert same.iou[0].item() == 1
    assert same.iqr[0].item() == pytest.approx(1)
    assert same.threshold[0].item() == 1
    assert same.iou[1].item() < 0.5
    assert moved.threshold[0].item() == 1
    assert moved.iou[0].item() == pytest.approx(2 / 4)  # fires on 0, 4 and 5; the concept is on 3, 4 and 5


def test_a_unit_that_avoids_the_concept_is_scored_where_it_detects_it() -> None:
    """Above 2.5 it tells more about the concept, by not firing there; above 1.5 it fires on it."""
    label = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1])
    values = torch.tensor([[3.0, 3, 3, 3, 3, 1, 2, 2, 2]])
    bounds, members = torch.tensor([[1.5, 2.5]]), torch.tensor([[False], [True]])
    counts = histogram(values, label, bounds, 2)
    tells = information_quality(agreement(counts, members))[0, 0]
    assert tells[1] > tells[0]
    found = matches((counts, counts), bounds, members)
    assert found.threshold.item() == 1.5
    assert found.iou.item() == pytest.approx(3 / 8)
