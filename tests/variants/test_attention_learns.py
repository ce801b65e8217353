"""What SAGAN's signature rests on: how agreement is read, and that D without attention cannot see it."""

import pytest
import torch

from gancli.system.seeds import seed_all
from tests.variants.signatures.attention import against_local, agreement, dots, drawn


def test_what_counts_as_agreement() -> None:
    seed_all("real")
    real = dots(200)
    assert agreement(real) == 1
    mixed = torch.cat([real[..., :16], real.roll(1, 0)[..., 16:]], 3)
    assert agreement(mixed) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("attention", [False, True])
def test_only_attention_tells_whether_dots_agree(attention: bool) -> None:
    """Without it, D adds up what it sees here and there: logits of pairs that agree add up to those that do not."""
    gan = against_local(0, attention).eval()
    if attention:
        gan.D.trunk[1].gamma.data.fill_(1)
    images = []
    for left, right in ((0, 0), (1, 1), (0, 1), (1, 0)):
        seed_all("height")
        images.append(drawn(torch.tensor([left]), torch.tensor([right])))
    with torch.no_grad():
        logits = gan.D(torch.cat(images), torch.zeros(4, 0))
    together = float(logits[0] + logits[1] - logits[2] - logits[3])
    assert (abs(together) > 1e-4) == attention
