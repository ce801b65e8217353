"""What the papers on labels and codes say, and the public mistakes in code for them."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.capabilities import each_class
from gancli.data.kinds.images import Images
from gancli.data.kinds.labelled import Labelled, PartlyLabelled
from gancli.data.spec import DataSpec
from gancli.engine.step import parameters, play_step
from gancli.gan import Clock
from gancli.ops import losses
from gancli.system.seeds import seed_all
from tests.variants.small import CLASSES, feed, make

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
START = Clock(0, 0, 1000)


def turns(gan: Any, batch: Any) -> Iterator[Any]:
    seed_all("turn")
    return gan.play(batch, START)


def gradients(loss: Tensor, module: torch.nn.Module) -> list[Tensor]:
    return [
        g
        for g in torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
        if g is not None
    ]


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


# ------------------------------------------------------------------------------------------------- SGAN


def test_sgan_has_one_head_with_a_class_for_fakes() -> None:
    x = torch.randn(4, 3, 16, 16)
    for rule, width in (("odena", K + 1), ("salimans", K)):
        gan: Any = make("sgan", rule=rule)
        assert gan.D(x).shape == (4, width)
        assert gan.logits(x).shape == (4, K + 1)
        assert gan.classify(x).shape == (4, K)


def test_sgan_a_fixed_last_logit_gives_z_over_z_plus_1() -> None:
    gan: Any = make("sgan", rule="salimans")
    free = torch.randn(8, K)
    logits = F.pad(free, (0, 1))
    z = free.exp().sum(1)
    torch.testing.assert_close(gan.realness(logits).sigmoid(), z / (z + 1))
    torch.testing.assert_close(gan.realness(logits).sigmoid(), 1 - logits.softmax(1)[:, -1])
    lse = free.logsumexp(1)
    torch.testing.assert_close(losses.NONSATURATING.g(gan.realness(logits)), (F.softplus(lse) - lse).mean())


def test_sgan_fakes_are_told_by_the_last_class() -> None:
    gan: Any = make("sgan")
    logits = torch.randn(8, K + 1)
    last = torch.full((8,), K)
    expected = F.cross_entropy(logits, last) - torch.log1p(-logits.softmax(1)[:, -1]).mean()
    torch.testing.assert_close(losses.NONSATURATING.d(gan.realness(logits), gan.realness(logits)), expected)


@pytest.mark.parametrize("rule", ["odena", "salimans"])
def test_sgans_unlabelled_terms_do_not_depend_on_labels(rule: str) -> None:
    gan: Any = make("sgan", rule=rule).eval()
    batch = feed(gan).at(0)
    changed = PartlyLabelled(batch.image, batch.example, (batch.label + 1) % K)
    one, two = (list(turns(gan, b)) for b in (batch, changed))
    assert torch.equal(one[0].terms["unlabelled"], two[0].terms["unlabelled"])
    assert not torch.equal(one[0].terms["class"], two[0].terms["class"])
    assert one[1].terms.keys() == two[1].terms.keys()
    assert all(torch.equal(one[1].terms[name], two[1].terms[name]) for name in one[1].terms)


def test_sgans_class_term_reads_examples_only() -> None:
    gan: Any = make("sgan").eval()
    batch = feed(gan).at(0)
    changed = PartlyLabelled(torch.randn_like(batch.image), batch.example, batch.label)
    one, two = (next(turns(gan, b)) for b in (batch, changed))
    assert torch.equal(one.terms["class"], two.terms["class"])
    assert not torch.equal(one.terms["unlabelled"], two.terms["unlabelled"])


def test_feature_matching_compares_batch_means() -> None:
    """The squared error of pairs is the public mistake: it is not zero for the same images in another order."""
    x, y = torch.randn(8, 5), torch.randn(8, 5)
    assert losses.mean_matching(x, x.flip(0)) < 1e-10
    torch.testing.assert_close(losses.mean_matching(x, y), losses.mean_matching(x, y.roll(3, 0)))
    assert losses.mean_matching(x, x + 1) == pytest.approx(5, rel=1e-5)


# ---------------------------------------------------------------------------------------------- InfoGAN


def test_infogan_is_given_no_labels() -> None:
    gan: Any = make("infogan")
    assert gan.data is Images
    assert gan.spec.classes == ()


def test_infogans_q_stands_on_ds_trunk() -> None:
    gan: Any = make("infogan")
    d, g = gan.players()["D"], gan.players()["G"]
    trunk = {id(p) for p in gan.D.trunk.parameters()}
    moved = {id(p) for p in parameters(d)}
    assert trunk <= moved
    assert {id(p) for p in gan.Q.parameters()} <= moved
    assert not moved & {id(p) for p in parameters(g)}
    category, _ = gan.codes(gan.D.trunk(torch.randn(4, 3, 16, 16)))
    assert len(gradients(category.sum(), gan.D.trunk)) == len(trunk)


def test_infogans_information_is_at_most_the_entropy_of_the_code() -> None:
    gan: Any = make("infogan")
    z = gan.prior(8)
    given = gan.parts(z)[1]
    for sure in (0.0, 1.0, 50.0, -50.0):
        gan.codes = lambda _, sure=sure: (sure * given, torch.zeros(8, 2))
        terms, stats = gan.information(torch.empty(8, 0), z)
        assert stats["information"] <= math.log(10) + 1e-6
    gan.codes = lambda _: (50 * given, torch.zeros(8, 2))
    terms, stats = gan.information(torch.empty(8, 0), z)
    assert terms["category"] < 1e-3  # raw logits: no softmax before the cross-entropy
    assert stats["information"] == pytest.approx(math.log(10), abs=1e-3)


def test_infogan_the_deviation_is_fixed_and_every_image_counts() -> None:
    x = torch.zeros(4, 1)
    assert losses.gaussian_nll(x + 0.5, x) == pytest.approx(0.5 * 0.25 + 0.9189, abs=1e-4)
    last_is_off = torch.tensor([[0.0], [0.0], [0.0], [2.0]])
    assert losses.gaussian_nll(last_is_off, x) > losses.gaussian_nll(x, x) + 0.4


def test_infogans_generator_is_moved_by_every_code() -> None:
    gan: Any = make("infogan")
    turn = list(turns(gan, feed(gan).at(0)))[1]
    for term in ("category", "continuous"):
        assert max(g.abs().max() for g in gradients(turn.terms[term], gan.G)) > 0


def test_infogans_continuous_codes_fill_their_range() -> None:
    gan: Any = make("infogan")
    codes = gan.parts(gan.prior(500))[2]
    assert codes.shape == (500, 2)
    assert codes.abs().max() <= 1
    assert codes.min() < -0.9
    assert codes.max() > 0.9


def test_infogan_needs_no_continuous_codes() -> None:
    gan: Any = make("infogan", continuous=0)
    assert set(next(turns(gan, feed(gan).at(0))).terms) == {"adversarial", "category"}


def test_a_grey_image_can_be_told_to_be_fake() -> None:
    """Without biases D(0) = 0: all N + 1 classes alike, so N / (N + 1) real, whatever D learns."""
    gan: Any = make("sgan", DataSpec(1, 8, 8))
    real = gan.realness(gan.logits(torch.zeros(4, 1, 8, 8))).sum()
    assert sum(g.abs().sum() for g in gradients(real, gan.D)) > 0


def test_hadamard_factors_of_d_begin_about_one() -> None:
    gan: Any = make("cgan", conditioning="hadamard", width=32)
    weight = gan.D.embed.weight
    assert (weight - 1).abs().max() < 0.2


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


@pytest.mark.parametrize(("name", "trunk", "first"), [("infogan", "trunk", 2), ("ebgan", "encoder", 2)])
def test_each_image_goes_through_a_trunk_once_a_turn(name: str, trunk: str, first: int) -> None:
    gan: Any = make(name, n_critic=1)
    calls: list[int] = []
    getattr(gan.D, trunk).register_forward_hook(lambda *_: calls.append(1))
    counts = []
    for _ in turns(gan, feed(gan).at(0)):
        counts.append(len(calls))
        calls.clear()
    assert counts == [first, 1]
