"""ADA: bit for bit nothing at p = 0, gradients of gradients, the same for reals and fakes, and a p that adapts."""

import math
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.families.high_fidelity.augmented import AdaptiveHParams, Groups, augmentation
from gancli.ops import ada, losses, warp, wavelets
from gancli.ops.ada import GROUPS, AdaptiveAugmentation

CPU = torch.device("cpu")
WAYS = [*ada.ALL]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch):
    """Make an augmentation of chosen changes, with p = 1."""

    def make(*ways: str) -> AdaptiveAugmentation:
        monkeypatch.setitem(GROUPS, "only", dict.fromkeys(ways, 1.0))  # pyright: ignore[reportArgumentType]
        return AdaptiveAugmentation("only", 1.0)

    return make


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 12, 16), (3, 16, 16), (4, 9, 7)], ids=str)
def test_no_image_changes_at_p_0_and_all_do_at_1(groups: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.rand(6, *shape) * 2 - 1
    assert torch.equal(AdaptiveAugmentation(groups, 0.0)(x), x)
    y = AdaptiveAugmentation(groups, 1.0)(x)
    assert y.shape == x.shape
    assert torch.isfinite(y).all()
    changed = (y != x).flatten(1).any(1).float().mean()
    assert changed == 1 if "g" in groups else changed > 0.5


@pytest.mark.parametrize("way", WAYS)
def test_each_image_is_changed_with_probability_p(only, way: str) -> None:
    torch.manual_seed(0)
    x = (torch.rand(1, 3, 8, 8) * 2 - 1).expand(800, -1, -1, -1)
    augmentation = only(way)
    all_of = ((augmentation(x) != x).flatten(1).any(1)).float().mean()  # a turn by 0 changes nothing
    augmentation.p.fill_(0.25)
    some = ((augmentation(x) != x).flatten(1).any(1)).float().mean()
    expected = 1 - 0.75**4 if way == "filter" else 0.25  # which has four bands
    assert some.item() == pytest.approx(expected * all_of.item(), abs=0.05)
    assert all_of >= 0.45
    kinds = len({tuple(row.flatten().tolist()) for row in augmentation(x)[:100]})
    assert kinds == {"flip": 2, "quarter_turn": 4, "luma_flip": 2}.get(way, kinds)
    assert kinds > 1


@pytest.mark.parametrize("groups", ["bgcfnc", "mild"])
def test_gradients_differentiate_again(groups: str) -> None:
    x = torch.randn(2, 3, 4, 5, dtype=torch.double, requires_grad=True)
    augmentation = AdaptiveAugmentation(groups, 0.7)

    def drawn_alike(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return augmentation(x)

    assert torch.autograd.gradcheck(drawn_alike, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: drawn_alike(x).pow(3), x, fast_mode=True)


def test_reading_is_torchs_and_differentiates_again() -> None:
    x = torch.randn(2, 2, 4, 5, dtype=torch.double, requires_grad=True)
    grid = torch.rand(2, 3, 4, 2, dtype=torch.double) * 4 - 2
    wanted = torch.nn.functional.grid_sample(x, grid, "bilinear", "reflection", align_corners=False)
    torch.testing.assert_close(warp.read(x, grid), wanted)
    assert torch.autograd.gradcheck(lambda x: warp.read(x, grid), x)
    assert torch.autograd.gradgradcheck(lambda x: warp.read(x, grid).pow(3), x)


def test_steps_read_no_value_back() -> None:
    x = torch.rand(4, 3, 8, 8, device="meta")
    assert AdaptiveAugmentation("bgcfnc", 0.5).to("meta")(x).shape == x.shape


# ------------------------------------------------------------------------------------------------ what it does


def blob(height: int = 32, width: int = 32) -> Tensor:
    down, right = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    return torch.exp(-((right - 0.2) ** 2 + (down + 0.1) ** 2) / 0.05)[None, None]


def test_warping_by_nothing_and_by_whole_pixels_is_exact() -> None:
    x = blob(24, 32)
    still = torch.eye(2, 3)[None]
    torch.testing.assert_close(warp.resampled(x, still), x, atol=1e-4, rtol=0)
    still[:, 0, 2], still[:, 1, 2] = 3, -2
    y = warp.resampled(x, still)
    torch.testing.assert_close(y[..., 4:-4, 4:-4], x[..., 2:-6, 7:-1], atol=1e-4, rtol=0)


@given(angle=st.floats(-3, 3), factor=st.floats(1, 1.25))  # a smaller image shows mirrored parts
def test_warping_moves_what_is_in_the_image(angle: float, factor: float) -> None:
    """The middle of a blob goes where the inverse of the map leads, and its mass grows with the area."""
    x, back = blob(48, 48), torch.zeros(1, 2, 3)
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    back[0, :, :2] = torch.tensor([[cos, sin], [-sin, cos]])
    y = warp.resampled(x, back)
    at = torch.arange(48) - 23.5

    def middle(x: Tensor) -> Tensor:
        x = x[0, 0] / x.sum()
        return torch.stack([(x.sum(0) * at).sum(), (x.sum(1) * at).sum()])

    torch.testing.assert_close(back[0, :, :2] @ middle(y), middle(x), atol=0.03, rtol=0)
    assert (y.sum() / x.sum()).item() == pytest.approx(factor**2, rel=2e-3)


def test_rotation_keeps_the_energy_of_noise() -> None:
    """Of white noise, whose half is above half of the highest frequency; plain bilinear interpolation keeps 0.44."""
    torch.manual_seed(0)
    x, back = torch.randn(8, 1, 32, 32), torch.zeros(8, 2, 3)
    angle = torch.linspace(0.2, 1.2, 8)
    back[:, 0, 0], back[:, 0, 1], back[:, 1, 0], back[:, 1, 1] = angle.cos(), angle.sin(), -angle.sin(), angle.cos()
    y = warp.resampled(x, back)[..., 8:-8, 8:-8]
    assert y.var().item() > 0.58


@pytest.mark.parametrize("way", ["flip", "quarter_turn", "shift"])
def test_blits_move_pixels_and_blend_none(only, way: str) -> None:
    torch.manual_seed(0)
    x = torch.randperm(256).float().view(1, 1, 16, 16).expand(32, -1, -1, -1)
    y = only(way)(x)
    assert (y == y.round()).all()
    if way != "shift":  # which mirrors what comes in
        assert torch.equal(y.flatten(1).sort(1).values, x.flatten(1).sort(1).values)
    assert (y - x).flatten(1).abs().max(1).values.gt(0).sum() > 10


@pytest.mark.parametrize("p", [0.0, 0.5, 0.9, 1.0])
def test_flips_and_turns_leave_as_many_images_upright_as_the_paper_says(only, p: float) -> None:
    """1 - p/2 keep their side and 1 - 3p/4 their way up: all eight ways are equally frequent only at p = 1."""
    torch.manual_seed(0)
    x, count = torch.arange(16.0).view(1, 1, 4, 4), 20_000
    augmentation = only("flip", "quarter_turn")
    augmentation.p.fill_(p)
    seen = augmentation(x.expand(count, -1, -1, -1))
    sides = [(x.flip(3) if flipped else x, flipped) for flipped in (False, True)]
    for turns in range(4):
        for side, flipped in sides:
            share = (p / 2 if flipped else 1 - p / 2) * (1 - 3 * p / 4 if turns == 0 else p / 4)
            found = (seen == side.rot90(turns, (2, 3))).flatten(1).all(1).float().mean().item()
            assert found == pytest.approx(share, abs=0.015)  # 4 standard errors


def test_images_that_are_not_square_turn_by_halves(only) -> None:
    torch.manual_seed(0)
    x = torch.arange(24.0).view(1, 1, 4, 6).expand(40, -1, -1, -1)
    kinds = {tuple(row.flatten().tolist()) for row in only("quarter_turn")(x)}
    assert kinds == {tuple(map(float, range(24))), tuple(map(float, range(23, -1, -1)))}


def test_changes_of_colour() -> None:
    """Luma is the mean; hue and saturation keep it; a flip turns it over."""
    torch.manual_seed(0)
    draws = ada._Draws(torch.zeros(16, 3, 1, 1), torch.tensor(1.0), GROUPS["bgc"])
    yes, x = torch.ones(16, dtype=torch.bool), torch.randn(3, 50)
    luma = x.mean(0)
    for way in ("hue", "saturation"):
        y = ada._of_colours(way, yes, draws) @ x
        torch.testing.assert_close(y.mean(1), luma.expand(16, -1), atol=1e-5, rtol=0)
    turned = ada._of_colours("hue", yes, draws) @ x
    torch.testing.assert_close(turned.norm(dim=1), x.norm(dim=0).expand(16, -1))
    y = ada._of_colours("luma_flip", yes, draws) @ x
    flipped = (y.mean(1) * luma < 0).all(1)
    assert 2 < flipped.sum() < 14
    torch.testing.assert_close(y[flipped].mean(1), -luma.expand(int(flipped.sum()), -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_has_no_colour(only, channels: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(16, channels, 8, 8)
    y = only(*ada.COLOR)(x)
    assert torch.equal(y[:, -1], x[:, -1])
    assert (y[:, 0] != x[:, 0]).any((1, 2)).sum() > 8


def test_bands_add_up_and_part_coarse_from_fine() -> None:
    bands = wavelets.bands(64, CPU)
    torch.testing.assert_close(bands.sum(0), torch.eye(64), atol=1e-6, rtol=0)
    waves = torch.cos(math.pi * (torch.arange(64) + 0.5)[:, None] * torch.tensor([1.0, 56.0]) / 64)
    energy = (bands @ waves).square().sum(1)  # (4, 2)
    assert energy[:, 0].argmax() == 0
    assert energy[:, 1].argmax() == 3


def test_noise_and_cutout(only) -> None:
    torch.manual_seed(0)
    x = torch.ones(400, 1, 16, 16)
    deviation = (only("noise")(x) - x).std((1, 2, 3))
    assert deviation.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.15)
    share = (only("cutout")(x) == 0).float().mean((1, 2, 3))
    assert share.max() <= 0.25
    assert share.min() >= 1 / 16 - 1e-6


# ------------------------------------------------------------------------------------------------ p


@pytest.mark.parametrize(
    ("signs", "way"),
    [
        ([0.9] * 4, 1),
        ([0.6 + 1e-3] * 4, 1),
        ([0.1] * 4, -1),
        ([0.0, 0.0, 0.0, 1.0], -1),
        ([0.4, 0.5, 0.7, 0.9], 1),
        ([math.nan] * 4, 0),
        ([0.9, 0.9, 0.9], 0),
    ],
)
def test_every_fourth_turn_of_d_moves_p_by_the_mean_of_the_signs(signs: list[float], way: int) -> None:
    """Sign(r_t - 0.6) x images / 500,000, where r_t is the mean of four turns."""
    augmentation = AdaptiveAugmentation("bgc", 0.5, 0.6)
    for sign in signs:
        augmentation.adapt(torch.tensor(sign), 64)
    assert augmentation.p.item() == pytest.approx(0.5 + way * 4 * 64 / 500_000, abs=1e-7)


def test_p_is_a_probability_and_all_that_steers_it_is_saved() -> None:
    augmentation = AdaptiveAugmentation("bgc", 0.0, 0.6, kimg=1.0)
    for signs, p in ((-1.0, 0.0), (1.0, 1.0)):
        for _ in range(8):
            augmentation.adapt(torch.tensor(signs), 150)
        assert augmentation.p == p
    augmentation.adapt(torch.tensor(0.5), 150)
    assert {name: value.item() for name, value in augmentation.state_dict().items()} == {
        "p": 1,
        "signs": 0.5,
        "turns": 1,
    }


def against_a_perfect_generator(images: int, ada: AdaptiveAugmentation, steps: int = 200) -> float:
    """Train D on so many real images (0: new ones in every step) and return r_t; only memorising tells them apart."""
    torch.manual_seed(0)
    D = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Flatten(0))
    adam, known = torch.optim.Adam(D.parameters(), 2e-3, betas=(0.0, 0.99)), torch.randn(max(images, 1), 1, 8, 8)
    found: list[float] = []
    for _ in range(steps):
        real = known[torch.randint(images, (32,))] if images else torch.randn(32, 1, 8, 8)
        logits = D(ada(real))
        adam.zero_grad()
        losses.NONSATURATING.d(logits, D(ada(torch.randn(32, 1, 8, 8)))).backward()
        adam.step()
        signs = logits.detach().sign().mean()
        ada.adapt(signs, 32)
        found.append(signs.item())
    return sum(found[-100:]) / 100


def test_p_holds_r_t_where_d_memorises_and_falls_to_0_where_it_cannot() -> None:
    few, plenty = (AdaptiveAugmentation("blit", p, 0.6, kimg=5.0) for p in (0.0, 0.5))
    assert against_a_perfect_generator(20, AdaptiveAugmentation("blit", 0.0)) > 0.9
    assert against_a_perfect_generator(20, few) == pytest.approx(0.6, abs=0.1)
    assert few.p > 0.05
    assert abs(against_a_perfect_generator(0, plenty, steps=100)) < 0.1
    assert plenty.p == 0


@pytest.mark.parametrize(("run", "given", "kimg"), [(25000, None, 500), (100, None, 20), (100, 7.0, 7)])
def test_in_a_short_run_p_moves_faster(run: float, given: float | None, kimg: float) -> None:
    """The authors' 500 kimg are for runs of 25,000."""
    found = augmentation(AdaptiveHParams(augment="ada", kimg=run, ada_kimg=given), DataSpec(3, 16, 16)).ada
    assert found
    assert found.kimg == kimg


def test_a_fixed_p_stays_and_is_all_there_is_to_save() -> None:
    """As in the checkpoints of R3GAN that were written before p adapted."""
    augmentation = AdaptiveAugmentation("bgc", 0.5)
    for _ in range(8):
        augmentation.adapt(torch.tensor(1.0), 1000)
    assert augmentation.p == 0.5
    assert augmentation.state_dict().keys() == {"p"}


def test_options_choose_the_augmentation() -> None:
    photograph = DataSpec(3, 16, 16)
    assert augmentation(AdaptiveHParams(), photograph).changes == []
    cases: list[dict[str, Any]] = [{"augment": "diffaugment"}, {"augment": "ada"}, {"mirror": True}]
    for options in cases:
        assert len(augmentation(AdaptiveHParams(**options), photograph).changes) == 1
        assert augmentation(AdaptiveHParams(**options), DataSpec(2, 1, 1)).changes == []
    found = augmentation(AdaptiveHParams(augment="ada", ada="blit", ada_p=0.5, ada_target=0.4), photograph)
    assert found.ada
    assert (found.ada.p, found.ada.target) == (0.5, None)
    assert set(found.ada.likely) == set(ada.BLIT)
    adapting = augmentation(AdaptiveHParams(augment="ada", ada_target=0.4, ada_kimg=100), photograph).ada
    assert adapting
    assert (adapting.p, adapting.target, adapting.kimg) == (0, 0.4, 100)
    x = torch.rand(64, 3, 16, 16)
    assert not torch.equal(found(x), x)


@pytest.mark.parametrize("groups", get_args(Groups))
def test_every_choice_of_the_option_is_a_group(groups: str) -> None:
    assert AdaptiveAugmentation(groups).likely == GROUPS[groups]
    assert set(get_args(Groups)) == set(GROUPS)
