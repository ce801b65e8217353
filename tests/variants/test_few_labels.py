"""SGAN: one head for classes and generated images, few labels, and feature matching."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from gancli.data.kinds.labelled import PartlyLabelled
from gancli.data.spec import DataSpec
from gancli.ops import losses
from tests.variants.small import CLASSES, feed, make
from tests.variants.turns import gradients, turns

K = len(CLASSES)


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


def test_a_grey_image_can_be_told_to_be_fake() -> None:
    """Without biases D(0) = 0: all N + 1 classes alike, so N / (N + 1) real, whatever D learns."""
    gan: Any = make("sgan", DataSpec(1, 8, 8))
    real = gan.realness(gan.logits(torch.zeros(4, 1, 8, 8))).sum()
    assert sum(g.abs().sum() for g in gradients(real, gan.D)) > 0
