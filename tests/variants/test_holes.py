"""Context Encoder and CC-GAN: what their papers say that can be seen without training."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.capabilities import Fills
from gancli.gan import Clock
from gancli.ops import masks
from gancli.system.seeds import seed_all
from gancli.variants.context_encoder import ContextEncoder
from tests.conftest import Cli
from tests.variants.small import feed, make

START = Clock(0, 0, 1000)
BOTH = pytest.mark.parametrize("name", ["context-encoder", "ccgan"])


@BOTH
@pytest.mark.parametrize("holes", sorted(masks.HOLES))
def test_any_hole_is_filled_and_nothing_else_is_touched(name: str, holes: str) -> None:
    gan: Any = make(name).eval()
    image = feed(gan).at(0).image
    mask = masks.HOLES[holes](image)
    assert isinstance(gan, Fills)
    filled = gan.fill(image, mask)
    hole = mask.expand_as(image) > 0
    assert torch.equal(filled[~hole], image[~hole])
    assert not torch.equal(filled[hole], image[hole])


@BOTH
def test_what_is_in_the_hole_is_not_looked_at(name: str) -> None:
    gan: Any = make(name).eval()
    image = feed(gan).at(0).image
    mask = masks.square(image)
    other = torch.where(mask > 0, torch.nan, image)
    assert torch.equal(gan.fill(image, mask), gan.fill(other, mask))


@BOTH
def test_g_is_told_where_the_hole_is(name: str) -> None:
    """Two holes that leave the same image when blanked, since it has one colour."""
    gan: Any = make(name).eval()
    image = torch.full((2, 3, 16, 16), 0.25)
    mask = torch.zeros(2, 1, 16, 16)
    mask[0, :, :4, :4] = mask[1, :, 8:, 8:] = 1
    first, second = gan.draw(image, mask)
    assert not torch.allclose(first, second, atol=1e-6)


@BOTH
def test_every_pixel_of_the_drawing_depends_on_the_whole_context(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bottleneck of 1 x 1 convolutions would see only what is near."""
    gan: Any = make(name).eval()
    monkeypatch.setattr(masks, "blank", lambda image, mask: image)  # its mean colour depends on all anyway
    image = feed(gan).at(0).image[:1].requires_grad_()
    drawn = gan.draw(image, masks.centre(image))
    (gradient,) = torch.autograd.grad(drawn[..., 8, 8].sum(), image)
    assert (gradient[0, :, ::15, ::15].abs().amax(0) > 0).all()  # all four corners


@BOTH
def test_grids_show_the_hole_its_filling_and_the_truth(name: str) -> None:
    gan: Any = make(name).eval()
    batch = feed(gan).at(0)
    hidden, filled, truth = gan.panels(batch)
    assert torch.equal(truth, batch.image)
    changed = (hidden != truth).any(1)
    assert 0 < changed.float().mean() < 0.5
    assert torch.equal(filled[~changed[:, None].expand_as(filled)], truth[~changed[:, None].expand_as(truth)])


def judged_by_d(name: str) -> tuple[Any, Any, list[Tensor]]:
    gan: Any = make(name)
    seen: list[Tensor] = []
    gan.D.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    batch = feed(gan).at(0)
    for _ in gan.play(batch, START):
        pass
    return gan, batch, seen


def test_context_encoders_d_does_not_see_the_context() -> None:
    gan, batch, seen = judged_by_d("context-encoder")
    judged = masks.widen(masks.centre(batch.image), gan.hp.overlap)
    outside = judged.expand_as(batch.image) == 0
    assert all((image[outside] == 0).all() for image in seen)
    assert torch.equal(seen[0][~outside], batch.image[~outside])
    assert len(seen) == 3


def test_the_band_round_the_hole_weighs_ten_times() -> None:
    image = torch.zeros(1, 3, 16, 16)
    mask = masks.centre(image)
    judged = masks.widen(mask, 2)
    inner, band, outer = (torch.zeros_like(image) for _ in range(3))
    inner[..., 8, 8] = band[..., 3, 8] = outer[..., 0, 0] = 1
    inside, beside, beyond = (float(ContextEncoder.error(x, image, mask, judged)) for x in (inner, band, outer))
    assert beside == pytest.approx(10 * inside)
    assert beyond == 0
    assert inside == pytest.approx(1 / 144)  # a mean over what is judged: 12 x 12


def test_the_adversary_of_the_context_encoder_reaches_g() -> None:
    gan: Any = make("context-encoder")
    turn = next(t for t in gan.play(feed(gan).at(0), START) if t.player == "G")
    gradients = torch.autograd.grad(turn.terms["adversarial"], list(gan.G.parameters()))
    assert all(g.abs().sum() > 0 for g in gradients if g.dim() > 1)
    assert {name: group["lr"] for name, player in gan.players().items() for group in player.param_groups} == {
        "D": pytest.approx(2e-4),
        "G": pytest.approx(2e-3),
    }


def test_ccgans_d_sees_the_filling_pasted_into_its_image() -> None:
    _, batch, (real, fake, example, _) = judged_by_d("ccgan")
    assert torch.equal(example, batch.example)
    assert torch.equal(real, batch.image)
    same = (fake == batch.image).all(1)
    share = same.flatten(1).float().mean(1)
    assert ((share > 0.5) & (share < 1)).all()


def test_no_pixel_is_compared_in_ccgan() -> None:
    gan: Any = make("ccgan")
    assert {name for turn in gan.play(feed(gan).at(0), START) for name in turn.terms} == {"adversarial", "class"}


def test_ccgans_classes_are_learnt_from_examples_alone() -> None:
    gan: Any = make("ccgan").eval()
    batch = feed(gan).at(0)
    seed_all("holes")
    turn = next(iter(gan.play(batch, START)))
    named = gan.D(batch.example)[:, 1:]
    torch.testing.assert_close(turn.terms["class"], torch.nn.functional.cross_entropy(named, batch.label))
    changed = dataclasses.replace(batch, label=(batch.label + 1) % 3)
    seed_all("holes")
    other = next(iter(gan.play(changed, START)))
    assert torch.equal(turn.terms["adversarial"], other.terms["adversarial"])
    assert not torch.equal(turn.terms["class"], other.terms["class"])


def test_ccgan_needs_labels_only_for_its_classes(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    small = ("--width", 4, "--batch", 4, "--steps", 2, "--quiet")
    refused = cli("train", "ccgan", "--data", pictures, *small, "--out", tmp_path / "a")
    assert refused.code == 2
    assert "no labels" in refused.err
    assert cli("train", "ccgan", "--data", pictures, *small, "--class-weight", 0, "--out", tmp_path / "b").code == 0
    named = cli("classify", tmp_path / "b", pictures)
    assert named.code == 2
    assert "classifier head" in named.err
    assert cli("train", "ccgan", "--size", 16, *small, "--out", tmp_path / "c").code == 0
    named = cli("classify", tmp_path / "c", pictures)
    assert named.code == 0, named.err
    assert len(named.out.splitlines()) == 13
