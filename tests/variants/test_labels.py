"""Labels in the latent, CGAN and ACGAN: what their papers say, and the public mistakes in code for them."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.capabilities import each_class
from gancli.data.kinds.labelled import Labelled
from gancli.engine.step import play_step
from gancli.ops import losses
from tests.variants.small import CLASSES, feed, make
from tests.variants.turns import START, gradients, turns

CONDITIONINGS = ["concat", "hadamard", "two-net", "projection"]
K = len(CLASSES)
AFTER_RGB, AFTER_NOISE, ALL_OF_IT = (slice(None), slice(3, None)), slice(6, None), slice(None)
READS_LABELS = {  # the weights, and which of them
    ("concat", "D"): ("net.trunk.0.weight", AFTER_RGB),
    ("two-net", "D"): ("match.net.trunk.0.weight", AFTER_RGB),
    ("hadamard", "D"): ("embed.weight", ALL_OF_IT),
    ("projection", "D"): ("embed.weight", ALL_OF_IT),
    ("hadamard", "G"): ("embed.weight", ALL_OF_IT),
    **{(name, "G"): ("net.0.weight", AFTER_NOISE) for name in ("concat", "two-net", "projection")},
}


# ------------------------------------------------------------------------------------------- the latent


@pytest.mark.parametrize("name", ["cgan", "acgan", "infogan"])
def test_the_class_is_a_part_of_the_latent_and_nothing_else_of_it(name: str) -> None:
    gan: Any = make(name)
    z = gan.prior(32)
    assert set(gan.label_of(z).tolist()) <= set(range(len(gan.classes)))
    assert len(gan.label_of(z).unique()) > 1
    other = (gan.label_of(z) + 1) % len(gan.classes)
    moved = gan.of_class(z, other)
    assert torch.equal(gan.label_of(moved), other)
    assert torch.equal(gan.of_class(moved, gan.label_of(z)), z)
    assert torch.equal(moved[:, : gan.hp.z_dim], z[:, : gan.hp.z_dim])
    assert (moved != z).sum() == 2 * len(z)  # two cells of a one-hot row each


def test_each_class_repeats_the_same_noise() -> None:
    gan: Any = make("acgan")
    z = gan.prior(4)
    rows = each_class(gan, z)
    assert gan.label_of(rows).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert torch.equal(rows[:4, : gan.hp.z_dim], rows[8:, : gan.hp.z_dim])


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_fakes_have_the_labels_of_the_batch_in_both_turns(name: str) -> None:
    """Labels drawn evenly where the data's are not would let D tell fakes by their label."""
    gan: Any = make(name)
    seen: list[Tensor] = []
    gan.G.register_forward_pre_hook(lambda _, given: seen.append(gan.label_of(given[0])))
    batch = Labelled(torch.randn(8, 3, 16, 16), torch.tensor([2, 2, 2, 2, 2, 2, 2, 0]))
    assert len(list(turns(gan, batch))) == 2
    assert [label.tolist() for label in seen] == [batch.label.tolist()] * 2


# ------------------------------------------------------------------------------------------------- CGAN


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_cgan_judges_an_image_for_its_label(conditioning: str) -> None:
    gan: Any = make("cgan", conditioning=conditioning)
    play_step(gan, gan.players(), [feed(gan).at(0)], START)
    gan.eval()
    x, label = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    assert gan.D(x, gan.one_hot(label)).shape == (4,)
    assert not torch.allclose(gan.D(x, gan.one_hot(label)), gan.D(x, gan.one_hot((label + 1) % K)))
    z = gan.prior(4)
    assert not torch.allclose(gan.generate(gan.of_class(z, label)), gan.generate(gan.of_class(z, (label + 1) % K)))


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_cgan_moves_what_reads_the_label_in_both_networks(conditioning: str) -> None:
    gan: Any = make("cgan", conditioning=conditioning)
    for turn in turns(gan, feed(gan).at(0)):
        network = gan.D if turn.player == "D" else gan.G
        names = [name for name, _ in network.named_parameters()]
        reached = dict(zip(names, gradients(torch.stack(list(turn.terms.values())).sum(), network)))
        name, part = READS_LABELS[conditioning, turn.player]
        assert reached[name][part].abs().sum() > 0
        assert K in reached[name][part].shape


def test_two_nets_add_realness_and_match() -> None:
    gan: Any = make("cgan", conditioning="two-net").eval()
    x, y = torch.randn(4, 3, 16, 16), gan.one_hot(torch.tensor([0, 1, 2, 0]))
    torch.testing.assert_close(gan.D(x, y), gan.D.realness(x) + gan.D.match(x, y))


def test_two_nets_see_reals_with_the_label_of_another_class() -> None:
    gan: Any = make("cgan", conditioning="two-net")
    batch, seen = feed(gan).at(0), []
    gan.D.register_forward_pre_hook(lambda _, given: seen.append((given[0], given[1].argmax(1))))
    next(turns(gan, batch))
    of_reals = [label for x, label in seen if torch.equal(x, batch.image)]
    assert len(of_reals) == 2
    assert sum(torch.equal(label, batch.label) for label in of_reals) == 1
    wrong = next(label for label in of_reals if not torch.equal(label, batch.label))
    assert (wrong != batch.label).all()


def test_hadamard_leaves_pixels_alone_and_starts_without_dead_features() -> None:
    """Multiplying the image by an embedding near zero leaves D nothing to see."""
    gan: Any = make("cgan", conditioning="hadamard", width=32).eval()
    x = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        assert gan.D.embed.weight.abs().mean() > 0.5
        gan.D.embed.weight.fill_(1)
        torch.testing.assert_close(gan.D(x, gan.one_hot(torch.tensor([0, 1, 2, 0]))), gan.D.net(x))


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_the_adversarial_loss_is_the_papers_and_not_squares(name: str) -> None:
    gan: Any = make(name)
    assert gan.adversarial is losses.NONSATURATING


def test_hadamard_factors_of_d_begin_about_one() -> None:
    gan: Any = make("cgan", conditioning="hadamard", width=32)
    weight = gan.D.embed.weight
    assert (weight - 1).abs().max() < 0.2


# ------------------------------------------------------------------------------------------------ ACGAN


def confident(gan: Any, label: Tensor) -> Any:
    """Stand in for D: sure of the right class, undecided on the source."""
    logits = torch.cat([torch.zeros(len(label), 1), 20 * gan.one_hot(label)], 1)
    return lambda image: logits + 0 * image.sum()


@pytest.mark.parametrize("turn", [0, 1], ids=["D", "G"])
def test_acgan_a_sure_and_right_class_head_has_no_loss(turn: int) -> None:
    """A softmax before the cross-entropy leaves ln(1 + (K - 1) / e): 1.461 for ten classes."""
    gan: Any = make("acgan")
    batch = feed(gan).at(0)
    object.__setattr__(gan, "judge", lambda image: _split(confident(gan, batch.label)(image)))
    assert list(turns(gan, batch))[turn].terms["class"] < 1e-3


def _split(out: Tensor) -> tuple[Tensor, Tensor]:
    return out[:, 0], out[:, 1:]


def test_acgan_names_reals_and_fakes_in_ds_turn() -> None:
    gan: Any = make("acgan").eval()
    batch = feed(gan).at(0)
    fake = torch.randn_like(batch.image)
    expected = sum(F.cross_entropy(gan.D(x)[:, 1:], batch.label) for x in (batch.image, fake))
    torch.testing.assert_close(gan.d_turn(batch, fake).terms["class"], expected)


def test_acgans_discriminator_is_not_told_the_label() -> None:
    gan: Any = make("acgan").eval()
    out = gan.D(torch.randn(4, 3, 16, 16))
    assert out.shape == (4, 1 + K)
    assert torch.equal(gan.classify(torch.ones(4, 3, 16, 16)), gan.D(torch.ones(4, 3, 16, 16))[:, 1:])


def test_acgans_generator_is_moved_by_the_class_term() -> None:
    gan: Any = make("acgan")
    turn = list(turns(gan, feed(gan).at(0)))[1]
    assert max(g.abs().max() for g in gradients(turn.terms["class"], gan.G)) > 0


def test_the_running_statistics_of_acgan_are_those_of_real_images() -> None:
    """Whatever G makes: `classify` looks at real images by them."""
    found = []
    for shift in (0.0, 0.9):
        gan: Any = make("acgan")
        fakes = gan.fakes
        gan.fakes = lambda batch, fakes=fakes, shift=shift: (fakes(batch) + shift).clamp(-1, 1)
        list(turns(gan, feed(gan).at(0)))
        found.append({k: v for k, v in gan.D.state_dict().items() if "running" in k})
        norms = [module for module in gan.D.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        assert all(norm.momentum == 0.1 for norm in norms)
    assert found[0]
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
    assert any((value != float("var" in name)).any() for name, value in found[0].items())  # they did move
