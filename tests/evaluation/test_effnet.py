"""EfficientNet-Lite0, where its weights are installed; its shape everywhere."""

from importlib.util import find_spec

import pytest
import torch

from gancli.errors import UserError
from gancli.evaluation.extractors import effnet

CPU = torch.device("cpu")


def test_the_network_has_the_parameters_of_lite0() -> None:
    network = effnet.Lite0()
    assert sum(p.numel() for p in network.parameters()) == 4_652_008
    assert network(torch.zeros(1, 3, 65, 70)).shape == (1, 1280)


def test_padding_is_tensorflows() -> None:
    conv = effnet.Same(1, 1, 3, 2)
    torch.nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 2, 2] = 1
    assert conv(x).flatten().tolist() == [1, 1, 1, 1]  # windows begin at pixels 0 and 2, not at -1 and 1
    assert conv(torch.zeros(1, 1, 5, 5)).shape == (1, 1, 3, 3)


def test_without_the_package_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effnet, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"gancli\[offline\]"):
        effnet.Effnet(CPU)


@pytest.mark.skipif(find_spec(effnet.PACKAGE) is None, reason="gancli[offline] is not installed")
def test_features_do_not_depend_on_the_batch() -> None:
    extractor = effnet.Effnet(CPU)
    x = torch.randint(0, 256, (3, 3, 40, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rows, logits = extractor(x)
    assert (rows.shape, logits.shape) == ((3, 1280), (3, 1000))
    torch.testing.assert_close(extractor(x[1:2])[0], rows[1:2], rtol=1e-4, atol=1e-4)
