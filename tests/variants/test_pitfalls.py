"""Mistakes of well-known collections that the tests of no single variant look for."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

from gancli import registry
from gancli.data.request import Request
from gancli.gan import Clock
from gancli.ops import divergences, losses
from gancli.variants.context_encoder import ContextEncoder
from tests.variants.small import feed, make

ADVERSARIAL = {
    "wgan": losses.WASSERSTEIN,
    "wgan-gp": losses.WASSERSTEIN,
    "lsgan": losses.LEAST_SQUARES,
    "sngan": losses.HINGE,
    **dict.fromkeys(("gan", "dcgan", "dragan", "cgan", "acgan", "sgan", "infogan"), losses.NONSATURATING),
    **dict.fromkeys(("bigan", "aae", "aae-semi", "cogan", "context-encoder", "ccgan"), losses.NONSATURATING),
}
PAPER = {  # what copies often set otherwise
    "dragan": {"gp_weight": 10.0, "slope": 1.0, "n_critic": 1},
    "wgan": {"clip": 0.01, "n_critic": 5, "lr": 5e-5},
    "sngan": {"beta1": 0.0, "beta2": 0.9, "n_critic": 5},
    "ebgan": {"pt_weight": 0.1},
    "began": {"gamma": 0.5, "k_rate": 1e-3, "lr": 1e-4},
    "bgan": {"levels": 2, "draws": 20},
    "improved": {"real_target": 0.9},
    "infogan": {"z_dim": 62, "g_lr": 1e-3, "lr": 2e-4, "info_weight": 1.0},
    "progan": {"batch": 16, "lr": 1e-3, "beta1": 0.0, "beta2": 0.99, "gp_weight": 10.0, "drift": 1e-3, "n_critic": 1},
    "stylegan": {"batch": 32, "kimg": 25000.0, "lr": 1e-3, "beta2": 0.99, "mapping": 8, "mixing": 0.9, "r1": 10.0},
    "context-encoder": {"rec_weight": 0.999, "adv_weight": 0.001},
}
STEPS_WITH: dict[str, type[Optimizer]] = {"wgan": RMSprop, "bgan": RMSprop}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_adversarial_loss_is_the_papers(name: str) -> None:
    """Many copies put squares in place of whatever the paper has."""
    gan: Any = make(name)
    assert gan.adversarial is ADVERSARIAL[name]


@pytest.mark.parametrize("name", PAPER)
def test_defaults_are_the_papers_where_copies_differ(name: str) -> None:
    hp = registry.load(name).hparams()
    assert {option: getattr(hp, option) for option in PAPER[name]} == PAPER[name]


@pytest.mark.parametrize("name", registry.names())
def test_slopes_and_norms_have_no_slips_of_the_pen(name: str) -> None:
    """`BatchNorm(n, 0.8)` sets eps, and `LeakyReLU(0.8)` is nearly linear."""
    gan = make(name)
    norms = [m for m in gan.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm | nn.GroupNorm)]
    assert {m.eps for m in norms} <= {1e-5}
    assert {m.negative_slope for m in gan.modules() if isinstance(m, nn.LeakyReLU)} <= {0.2}


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan", "wgan-gp", "dragan", "sngan", "bgan", "began", "cogan"])
def test_the_optimiser_is_the_papers(name: str) -> None:
    """Momentum makes a clipped critic unstable, and RMSprop at 5e-5 hardly moves a penalised one."""
    for player in make(name).players().values():
        assert isinstance(player, STEPS_WITH.get(name, Adam))


def test_a_normalised_critic_has_no_batch_norm() -> None:
    """It would give every layer its scale back."""
    gan: Any = make("sngan")
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm | nn.GroupNorm) for m in gan.D.modules())


def test_the_margin_is_of_each_image_and_not_of_their_mean() -> None:
    """Energies 0 and 1 at margin .5: the first is short by .5, though the mean is not short at all."""
    gan: Any = make("ebgan", margin=0.5)
    gan.energy = lambda x: (torch.arange(len(x)) % 2) + 0 * x.sum()
    turn = next(iter(gan.play(feed(gan).at(0), Clock(0, 0, 1))))
    assert turn.terms["fake"].item() == pytest.approx(0.25)


def test_the_target_of_a_reconstruction_is_not_detached() -> None:
    """Else G only learns what D makes of its image, not that the image should be what D makes."""
    gan: Any = make("ebgan")
    gan.D.forward = lambda image: torch.zeros_like(image)
    x = torch.full((2, 3, 16, 16), 0.5, requires_grad=True)
    assert torch.autograd.grad(gan.energy(x).sum(), x)[0].abs().min() > 0


def test_the_context_encoder_squares_its_error() -> None:
    image, mask = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    error: Tensor = ContextEncoder.error(image + 0.5, image, mask, mask)
    assert error.item() == pytest.approx(0.25)


@pytest.mark.parametrize("a", [-2.0, 0.7])
def test_g_moves_to_its_own_draws_weighed_by_ds_odds(a: float) -> None:
    """One pixel, g(1) = p, logits of D 0 and a: the gradient of G's log-odds is p - p e^a / (p e^a + 1 - p)."""
    from gancli.data.spec import DataSpec

    gan: Any = make("bgan", DataSpec(1, 1, 1), draws=20_000)
    gan.D.forward = lambda x: a * (x.flatten(1)[:, 0] + 1) / 2
    given = torch.tensor([0.0, 0.4], requires_grad=True)
    gan.G.forward = lambda z: given[None, :, None, None].expand(len(z), -1, 1, 1)
    (gradient,) = torch.autograd.grad(gan.g_terms(torch.zeros(4, 1, 1, 1))["boundary"], given)
    p = given.detach().softmax(0)[1]
    weighed = p * torch.tensor(a).exp() / (p * torch.tensor(a).exp() + 1 - p)
    assert gradient[1].item() == pytest.approx(float(p - weighed), abs=0.01)


@pytest.mark.parametrize("name", ["ebgan", "began"])
def test_grids_show_what_d_makes_of_reals_and_fakes(name: str) -> None:
    gan: Any = make(name).eval()
    batch = feed(gan).at(0)
    real, of_real, fake, of_fake = gan.panels(batch)
    assert torch.equal(real, batch.image)
    assert torch.equal(of_real, gan.D(real))
    assert torch.equal(of_fake, gan.D(fake))
    assert "D" in gan.served


PAIRS = {
    "non-saturating": losses.NONSATURATING,
    "minimax": losses.MINIMAX,
    "least squares": losses.LEAST_SQUARES,
    "wasserstein": losses.WASSERSTEIN,
    "hinge": losses.HINGE,
    **divergences.BY_NAME,
}


@pytest.mark.parametrize("name", PAIRS)
def test_d_raises_reals_and_lowers_fakes_and_g_raises_them(name: str) -> None:
    """Both signs turned round make a critic whose gap looks right, and a G that runs away from the data."""
    real, fake = torch.full((2, 3), 0.3).requires_grad_().unbind(0)
    at_real, at_fake = torch.autograd.grad(PAIRS[name].d(real, fake), [real, fake])
    assert at_real.max() < 0 < at_fake.min()
    assert torch.autograd.grad(PAIRS[name].g(fake), fake)[0].max() < 0


@pytest.mark.parametrize("name", ["sgan", "ccgan", "aae-semi", "aae-labels"])
def test_only_a_few_labels_are_seen_and_all_images(name: str) -> None:
    """Copies of SGAN read every label, so there is nothing semi-supervised about them."""
    kind: Any = registry.load(name)
    data = kind.dataset(kind.hparams(labels_per_class=2), Request("digits"))
    shown, image = data.rows["label"], data.rows["image"]
    assert torch.equal(shown, data.rows["example"])
    assert data.columns["label"][shown].bincount().tolist() == [2] * 10
    assert data.held_out is not None
    hidden = set(data.held_out.rows["label"].tolist())
    assert not hidden & set(shown.tolist())
    assert not hidden & set(image.tolist())
    assert len(image) + len(hidden) == len(data.columns["image"])
