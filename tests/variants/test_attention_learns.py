"""What SAGAN's signature rests on: how agreement is read, and that D without attention cannot see it."""

from typing import Any

import pytest
import torch

from tests.variants.signatures.attention import COLOURS, agreement, drawn, trained


def test_what_counts_as_agreement() -> None:
    colour = torch.arange(len(COLOURS))
    assert agreement(drawn(colour, colour)) == 1
    assert agreement(drawn(colour, colour.roll(1))) == 0
    assert agreement(drawn(*torch.cartesian_prod(colour, colour).T)) == pytest.approx(1 / len(COLOURS))


def test_images_of_one_colour_do_not_count() -> None:
    assert agreement(drawn(*torch.ones(2, 20, dtype=torch.int64))) == 0


@pytest.mark.parametrize("attention", [False, True])
def test_only_attention_tells_whether_dots_agree(attention: bool) -> None:
    """Without it, D adds up what it sees here and there: logits of pairs that agree add up to those that do not."""
    gan: Any = trained(0, attention, 0)
    if attention:
        gan.D.trunk[1].gamma.data.fill_(1)
    with torch.no_grad():
        logits = gan.D(drawn(torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 1, 0])), torch.zeros(4, 0))
    together = float(logits[0] + logits[1] - logits[2] - logits[3])
    assert (abs(together) > 1e-4) == attention
