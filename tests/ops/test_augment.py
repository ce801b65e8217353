"""What D sees instead of an image: near it, drawn for each image, and with gradients of gradients."""

import pytest
import torch
from torch import Tensor

from gancli.ops import augment

WAYS = [augment.color, augment.translation, augment.cutout, augment.mirrored, augment.diffaugment]


@pytest.mark.parametrize("change", WAYS)
def test_every_image_is_changed_its_own_way(change) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 16, 24).expand(16, -1, -1, -1)
    y = change(x)
    assert y.shape == x.shape
    kinds = len({tuple(row.flatten().tolist()) for row in y})
    assert kinds == 2 if change is augment.mirrored else kinds > 8


@pytest.mark.parametrize("change", WAYS)
def test_gradients_differentiate_again(change) -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, requires_grad=True)

    def drawn_alike(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return change(x)

    assert torch.autograd.gradgradcheck(lambda x: drawn_alike(x).square(), x)


def test_translations_are_whole_pixels_and_bring_zeros_in() -> None:
    torch.manual_seed(0)
    x = torch.rand(64, 1, 16, 16) + 1
    y = augment.translation(x)
    for before, after in zip(x[:, 0], y[:, 0]):
        rows, columns = (after.sum(d).nonzero().flatten() for d in (1, 0))
        kept = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert min(kept.shape) >= 14  # an eighth of 16 at most
        down, right = (16 - kept.shape[0]) * (rows[0] > 0), (16 - kept.shape[1]) * (columns[0] > 0)
        top, left = (16 - kept.shape[0]) * (rows[0] == 0), (16 - kept.shape[1]) * (columns[0] == 0)
        assert torch.equal(kept, before[top : 16 - down, left : 16 - right])
    assert (y[:, 0].sum((1, 2)) < x[:, 0].sum((1, 2))).any()


def test_cutout_leaves_at_least_three_quarters() -> None:
    torch.manual_seed(0)
    share = (augment.cutout(torch.ones(256, 1, 32, 32)) == 0).float().mean((1, 2, 3))
    assert share.max() <= 0.25 + 1e-6
    assert share.min() >= 1 / 16 - 1e-2  # a corner of the square stays inside


def test_color_at_its_middle_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3, 4, 4)
    monkeypatch.setattr(augment, "_uniform", lambda x, n: torch.full((len(x), n), 0.5))
    assert torch.allclose(augment.color(x), x, atol=1e-6)
    assert torch.equal(augment.translation(x), x)
