"""Holes: their sizes and places, and what is put in them."""

import pytest
import torch
from torch import Tensor

from gancli.ops import masks
from gancli.system.seeds import seed_all


def images(n: int = 16, size: tuple[int, int] = (16, 24)) -> Tensor:
    return torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (28, 28), (7, 9)])
@pytest.mark.parametrize("name", sorted(masks.HOLES))
def test_a_mask_is_0_or_1_and_leaves_most_of_the_image(name: str, size: tuple[int, int]) -> None:
    image = images(size=size)
    seed_all(name)
    mask = masks.HOLES[name](image)
    assert mask.shape == (16, 1, *size)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    share = mask.flatten(1).mean(1)
    assert (share > 0.01).all()
    assert (share < 0.4).all()
    most = {"centre": 0.4, "square": 0.4, "region": 0.26, "blocks": 0.3}[name]
    assert share.mean() <= most


@pytest.mark.parametrize("name", ["square", "blocks", "region"])
def test_moving_holes_are_everywhere_and_differ_from_image_to_image(name: str) -> None:
    seed_all(name)
    mask = masks.HOLES[name](images(400, (8, 8)))
    assert len(mask.flatten(1).unique(dim=0)) > 20
    often = mask.mean((0, 1))
    assert often.min() > 0.02
    assert often.max() < 0.9


def test_the_centre_is_half_of_each_side() -> None:
    mask = masks.centre(images())
    assert mask[:, :, 4:12, 6:18].min() == 1
    assert mask.sum((1, 2, 3)).unique().tolist() == [96.0]


def test_the_hole_holds_the_mean_of_what_is_left() -> None:
    image, mask = images(), masks.square(images())
    hidden = masks.blank(image, mask)
    hole = mask[0, 0] > 0
    expected = image[0, :, ~hole].mean(1)
    torch.testing.assert_close(hidden[0, :, hole], expected[:, None].expand(-1, int(hole.sum())))
    assert torch.equal(hidden[0, :, ~hole], image[0, :, ~hole])


def test_an_image_that_is_all_hole_is_finite() -> None:
    image = images(2)
    assert torch.isfinite(masks.blank(image, torch.ones(2, 1, 16, 24))).all()


def test_widening_grows_to_all_sides() -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 4, 4] = 1
    assert masks.widen(mask, 2).sum() == 25
    assert torch.equal(masks.widen(mask, 0), mask)
