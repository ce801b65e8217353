"""What EBGAN and BEGAN are known by: errors of an auto-encoder as D's verdict, margins and balance."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.nets import autoencoder
from tests.variants.small import feed, make


def test_the_repelling_term_squares_the_cosine() -> None:
    e = torch.eye(4)
    assert autoencoder.repelling(e).item() == pytest.approx(0, abs=1e-6)
    assert autoencoder.repelling(e[:1].expand(3, 4) * 7).item() == pytest.approx(1)
    assert autoencoder.repelling(torch.stack([e[0], -e[0]])).item() == pytest.approx(1)  # unsquared: -1


def test_beyond_the_margin_fakes_move_d_no_more() -> None:
    for margin, moves in ((0.0, False), (4.0, True)):
        gan: Any = make("ebgan", margin=margin)
        turn = next(iter(gan.play(feed(gan).at(0), Clock(0, 0, 1))))
        gradients = torch.autograd.grad(turn.terms["fake"], list(gan.D.parameters()), allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients) == moves


def test_the_energy_is_the_squared_error_of_each_image() -> None:
    gan: Any = make("ebgan")
    x = torch.rand(5, 3, 16, 16)
    gan.D.forward = lambda image: image + torch.arange(5.0)[:, None, None, None]
    torch.testing.assert_close(gan.energy(x), torch.arange(5.0).square())


class Errors(nn.Module):
    """Reconstructs reals (all 1) and fakes (all 0) with a given absolute error."""

    def __init__(self, real: float, fake: float) -> None:
        super().__init__()
        self.real, self.fake, self.weight = real, fake, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.where(x.detach().mean() > 0.5, self.real, self.fake) + 0 * self.weight


def balanced(real: float, fake: float, k: float = 0.0) -> tuple[Any, dict[str, Tensor]]:
    gan: Any = make("began", DataSpec(1, 16, 16))
    gan.D, gan.G = Errors(real, fake), nn.Linear(6, 1)
    gan.generate = lambda z: 0 * gan.G(z)[:, :, None, None].expand(-1, 1, 16, 16)
    gan.k.fill_(k)
    log = play_step(gan, gan.players(), [Images(torch.ones(8, 1, 16, 16))], Clock(0, 0, 1))
    return gan, log


def test_the_controller_of_began_is_equation_13() -> None:
    gan, log = balanced(0.2, 0.05)
    assert gan.k.item() == pytest.approx(5e-5, rel=1e-3)
    assert log["D/convergence"].item() == pytest.approx(0.25)
    gan, _ = balanced(0.2, 0.3, k=0.5)
    assert gan.k.item() == pytest.approx(0.5 - 2e-4, rel=1e-4)  # fakes are too bad: D minds them less
    assert gan.k.requires_grad is False


@pytest.mark.parametrize(("real", "fake", "k"), [(0.0, 1.0, 0.0), (1.0, 0.0, 1.0)])
def test_k_stays_between_0_and_1(real: float, fake: float, k: float) -> None:
    assert balanced(real, fake, k)[0].k.item() == k


def test_the_auto_encoder_of_began_has_no_norm_no_dropout_and_an_l1_error() -> None:
    gan: Any = make("began")
    banned = nn.modules.batchnorm._BatchNorm | nn.Dropout | nn.ReLU
    assert not any(isinstance(m, banned) for m in gan.modules())
    gan.D.forward = lambda image: image - 3
    assert gan.errors(torch.rand(2, 3, 16, 16)).tolist() == pytest.approx([3, 3])
