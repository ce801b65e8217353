"""Noise inside networks: this dropout is torch's, to the bit, on one process."""

import pytest
import torch
from torch import nn

from gancli.nets.layers.noise import Dropout


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_dropout_is_torchs(layout: torch.memory_format, p: float) -> None:
    x = torch.randn(4, 6, 3, 5).contiguous(memory_format=layout)
    found, wanted = [], []
    for made, kept in ((Dropout, found), (nn.Dropout, wanted)):
        torch.manual_seed(0)
        kept += [made(p)(x), made(p).eval()(x)]
    for one, other in zip(found, wanted):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=0)
        assert torch.equal(one == 0, other == 0)
