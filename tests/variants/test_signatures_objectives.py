"""What each variant with another objective is known by: closed forms, and mistakes of others that must not be here."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli import divergences, losses, penalties
from gancli.data import builtin, points
from gancli.data.images import Images
from gancli.data.pictures import Wanted
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.gan import Clock
from gancli.metrics import points as points_metric
from gancli.nets import autoencoder, improved, spectral
from gancli.step import play_step
from gancli.variants.bgan import drawn, weights
from tests.variants.small import feed, make
from tests.variants.toys import Linear, against, normal, train_critic

# --------------------------------------------------------------------------------------------------- f-GAN

BOUNDS = {  # the divergence of N(0, 1) from N(mu, 1)
    "kl": {1: 0.5, 2: 2.0},
    "reverse-kl": {1: 0.5, 2: 2.0},
    "pearson": {1: 1.7183},
    "squared-hellinger": {1: 0.2350, 2: 0.7869},
    "jensen-shannon": {1: 0.2228, 2: 0.6737},
    "gan": {1: -1.1635, 2: -0.7126},
}
BEST = {  # V of the likelihood ratio r = p / q for which g(V) = f'(r)
    "kl": lambda log_r: 1 + log_r,
    "reverse-kl": lambda log_r: log_r,
    "pearson": lambda log_r: 2 * (log_r.exp() - 1),
    "squared-hellinger": lambda log_r: log_r / 2,
    "jensen-shannon": lambda log_r: log_r,
    "gan": lambda log_r: log_r,
}


def bound(name: str, V: Any, mu: float) -> float:
    real, fake = normal(points=200_001).flatten(), normal(mu, 200_001).flatten()
    return -divergences.BY_NAME[name].d(V(real).double(), V(fake).double()).item()


@pytest.mark.parametrize("name", BOUNDS)
def test_the_best_function_reaches_the_divergence(name: str) -> None:
    for mu, value in BOUNDS[name].items():
        found = bound(name, lambda x, mu=mu: BEST[name](mu**2 / 2 - mu * x), mu)
        assert found == pytest.approx(value, rel=5e-3)


@pytest.mark.parametrize("name", BOUNDS)
def test_no_other_function_exceeds_the_divergence(name: str) -> None:
    for seed in range(20):
        a, b, c = torch.randn(3, generator=torch.Generator().manual_seed(seed))
        assert bound(name, lambda x, a=a, b=b, c=c: a + b * x + c * x.sin(), 1) <= BOUNDS[name][1] + 1e-3


def test_fgan_takes_the_divergence_it_is_told() -> None:
    kl: Any = make("fgan", divergence="kl")
    assert kl.adversarial is divergences.BY_NAME["kl"]
    last = train_critic(against("fgan", Linear(), normal(1), divergence="kl", lr=0.02, beta1=0.9), normal(), 400)
    assert -last["adversarial"].item() == pytest.approx(0.5, rel=0.05)  # log p/q is linear here


def test_the_gan_of_fgan_is_the_gan() -> None:
    real, fake = torch.randn(2, 9)
    ours, theirs = divergences.BY_NAME["gan"], losses.NONSATURATING
    torch.testing.assert_close(ours.d(real, fake), theirs.d(real, fake))
    torch.testing.assert_close(ours.g(fake), theirs.g(fake))


# ------------------------------------------------------------------------------------------- relativistic


@pytest.mark.parametrize("loss", [losses.relativistic_pairs, losses.relativistic_average])
def test_only_differences_of_logits_count(loss: Any) -> None:
    real, fake = torch.randn(2, 9)
    torch.testing.assert_close(loss(real + 3, fake + 3), loss(real, fake))
    plain = losses.NONSATURATING.d
    assert abs(plain(real + 3, fake + 3) - plain(real, fake)) > 0.1


def test_an_undecided_relativistic_discriminator() -> None:
    zero = torch.zeros(4)
    assert losses.relativistic_pairs(zero, zero).item() == pytest.approx(math.log(2))
    assert losses.relativistic_average(zero, zero).item() == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize("name", ["rpgan", "ragan"])
def test_the_reals_are_in_the_loss_of_g(name: str) -> None:
    """A popular copy overwrites G's loss with a plain one, another detaches the real side."""
    gan: Any = make(name)
    batch, seen = feed(gan).at(0), []
    gan.D.register_forward_hook(lambda *given: seen.append(given[2]))
    d, g = gan.play(batch, Clock(0, 0, 1))
    assert (d.player, g.player, len(seen)) == ("D", "G", 4)
    fake, real = seen[2:]
    to_fake, to_real = torch.autograd.grad(g.terms["adversarial"], [fake, real])
    assert to_real.abs().sum() > 0
    assert to_fake.sum() < 0 < to_real.sum()  # G raises its own and lowers the reals
    assert float(to_fake.sum() + to_real.sum()) == pytest.approx(0, abs=1e-6)


# ------------------------------------------------------------------------------------------------- dragan


def ones(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def test_the_penalty_of_dragan_is_around_reals_and_over_whole_images() -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return ones(x)

    real = torch.full((6, 3, 4, 4), 5.0) + torch.randn(6, 3, 4, 4)
    assert penalties.around(critic, real, 1.0).item() == pytest.approx(35.14, abs=0.01)
    assert penalties.around(critic, real, 48**0.5).item() == pytest.approx(0, abs=1e-6)
    moved = seen[0] - real
    assert moved.min() >= 0
    assert 0 < moved.max() <= real.std() / 2


def test_dragan_ignores_the_fakes_in_its_penalty_and_trains_on_both_terms() -> None:
    gan: Any = make("dragan")
    real, other = feed(gan).at(0).image, torch.randn(2, 8, 3, 16, 16)
    found = []
    for fake in other:
        torch.manual_seed(0)
        found.append(gan.d_terms(real, fake))
    assert torch.equal(found[0]["gradient_penalty"], found[1]["gradient_penalty"])
    assert not torch.equal(found[0]["adversarial"], found[1]["adversarial"])
    for term in found[0].values():
        assert torch.autograd.grad(term, gan.D.head.weight, retain_graph=True)[0].abs().sum() > 0


@pytest.mark.parametrize(("weight", "low", "high"), [(10.0, 0.7, 1.3), (0.0, 3.0, 1e9)])
def test_the_slope_near_the_data_is_held_only_by_the_penalty(weight: float, low: float, high: float) -> None:
    critic, real, fake = Linear(), normal(0, 64), normal(0.5, 64)
    train_critic(against("dragan", critic, fake + 3, lr=0.1, gp_weight=weight), real, 400)
    assert low <= abs(critic.weight.item()) <= high


# -------------------------------------------------------------------------------------------------- sngan


def test_the_scale_of_the_weights_means_nothing_to_d() -> None:
    gan: Any = make("sngan")
    x = torch.randn(4, 3, 16, 16)
    before = gan.D(x)
    with torch.no_grad():
        for weight in gan.D.parameters():
            weight.mul_(10)
    torch.testing.assert_close(gan.D(x), before, rtol=1e-4, atol=1e-6)


def top(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))


def test_every_layer_of_d_and_none_of_g_has_spectral_norm_one_through_training() -> None:
    gan: Any = make("sngan", lr=1e-3, n_critic=1)
    layers = [m for m in gan.D.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 3
    assert not any(isinstance(m, spectral.SpectralNorm) for m in gan.G.modules())
    players = gan.players()
    for step in range(30):
        play_step(gan, players, [feed(gan).at(0)], Clock(step, 0, 1))
    for layer in layers:
        assert top(layer.weight) == pytest.approx(1, abs=0.05)
    for _ in range(40):
        spectral.power_step(gan.D)
    for layer in layers:
        assert top(layer.weight) == pytest.approx(1, abs=1e-3)


def test_u_and_v_are_saved_and_stand_still_between_steps() -> None:
    gan: Any = make("sngan")
    assert sum(name.endswith((".u", ".v")) for name in gan.state_dict()) == 2 * 3
    x = torch.randn(4, 3, 16, 16)
    assert torch.equal(gan.D(x), gan.D(x))  # looking at D does not change it
    assert torch.equal(gan.D(x), gan.eval().D(x))


def test_a_normalised_network_is_no_steeper_than_one() -> None:
    gan: Any = make("sngan", DataSpec(2, 1, 1), width=16)
    x, y = torch.randn(2, 200, 2, 1, 1)
    for _ in range(50):
        spectral.power_step(gan.D)
    assert ((gan.D(x) - gan.D(y)).abs() <= (x - y).flatten(1).norm(dim=1) * 1.001).all()


def test_the_hinge_stops_where_d_is_sure() -> None:
    logits = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    assert torch.autograd.grad(losses.HINGE.d(logits, torch.zeros(1)), logits)[0].tolist() == pytest.approx(
        [-1 / 3, -1 / 3, 0]
    )
    assert torch.autograd.grad(losses.HINGE.d(torch.zeros(1), logits), logits)[0].tolist() == pytest.approx(
        [0, 1 / 3, 1 / 3]
    )


# -------------------------------------------------------------------------------------------- ebgan, began


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
    assert gan.error(torch.rand(2, 3, 16, 16)).item() == pytest.approx(3)


# --------------------------------------------------------------------------------------------------- bgan


@pytest.mark.parametrize(("levels", "allowed"), [(2, {-1.0, 1.0}), (5, {-1.0, -0.5, 0.0, 0.5, 1.0})])
def test_pixels_are_exactly_the_levels(levels: int, allowed: set[float]) -> None:
    gan: Any = make("bgan", levels=levels)
    with torch.no_grad():
        images = gan.generate(gan.prior(64))
    assert set(images.unique().tolist()) == allowed
    z = gan.prior(4)
    assert torch.equal(gan.generate(z), gan.generate(z))  # a latent is an image: seeds can be drawn again


def test_levels_are_drawn_with_their_odds() -> None:
    odds = torch.tensor([0.1, 0.6, 0.3]).log()[None, :, None].expand(1, 3, 50_000)
    level = drawn(odds, torch.rand(1, 50_000))
    assert (torch.bincount(level.flatten()) / 50_000).tolist() == pytest.approx([0.1, 0.6, 0.3], abs=0.01)


def test_the_weights_of_the_draws_are_a_softmax_that_no_gradient_passes() -> None:
    logits = torch.randn(5, 20, requires_grad=True)
    found = weights(logits)
    torch.testing.assert_close(found, logits.detach().softmax(1), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.sum(1), torch.ones(5))
    assert not found.requires_grad


def test_g_learns_though_no_gradient_passes_a_draw() -> None:
    gan: Any = make("bgan")
    fake = gan.generate(gan.prior(8))
    assert not fake.requires_grad
    term = gan.g_terms(fake)["boundary"]
    reached = torch.autograd.grad(term, [*gan.G.parameters(), *gan.D.parameters()], allow_unused=True)
    count = len(list(gan.G.parameters()))
    assert all(g is not None and g.abs().sum() > 0 for g in reached[:count])
    assert all(g is None for g in reached[count:])


def test_without_a_preference_of_d_the_gradient_is_that_of_the_mean_likelihood_which_is_zero() -> None:
    gan: Any = make("bgan", DataSpec(1, 2, 2), draws=4000)
    for weight in gan.D.parameters():
        nn.init.zeros_(weight)
    z = gan.prior(8)
    (gradient,) = torch.autograd.grad(gan.g_terms(z)["boundary"], gan.G.net[0][-1].bias)
    assert gradient.abs().max() < 0.03
    with torch.no_grad():
        gan.D.net[-1].weight.fill_(5.0)  # a D with an opinion moves G
        gan.D.net[0].weight.fill_(0.5)
        gan.D.net[2].weight.fill_(0.5)
    (gradient,) = torch.autograd.grad(gan.g_terms(z)["boundary"], gan.G.net[0][-1].bias)
    assert gradient.abs().max() > 0.1


def test_continuous_images_go_to_the_boundary() -> None:
    gan: Any = make("bgan", levels=0)
    gan.D.forward = lambda x: x.mean((1, 2, 3)) * 0 + 3
    assert gan.g_terms(torch.zeros(4, 3, 16, 16))["boundary"].item() == pytest.approx(4.5)


def test_bars_and_stripes_are_thirty() -> None:
    images = builtin.open_builtin("bars-and-stripes", Wanted()).images
    assert images.shape == (30, 1, 4, 4)
    assert len({image.tobytes() for image in images}) == 30
    assert set(images.flatten().tolist()) == {0, 255}


# ------------------------------------------------------------------------------------------------- points


@pytest.mark.parametrize(("name", "modes"), [("ring8", 8), ("grid25", 25)])
def test_the_data_hit_every_mode_and_a_collapse_does_not(name: str, modes: int) -> None:
    mixture, real = points.MIXTURES[name], points.draw(name, 2500, seed=1)[:, :, 0, 0]
    found = points_metric.score(mixture, real)
    assert found["modes_hit"] == modes
    assert found["share_within_3_sigma"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    collapsed = points_metric.score(mixture, real[:1].repeat(100, 0))
    assert collapsed["modes_hit"] == 1
    noise = points_metric.score(mixture, torch.randn(2500, 2).numpy())
    assert noise["share_within_3_sigma"] < 0.2


def test_points_have_no_size() -> None:
    with pytest.raises(UserError, match="--size"):
        builtin.open_builtin("ring8", Wanted(size=(8, 8)))


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "sngan", "dragan", "ebgan", "began", "fgan", "ragan"])
def test_points_get_networks_without_bounds(name: str) -> None:
    gan: Any = make(name, DataSpec(2, 1, 1))
    assert not any(isinstance(m, nn.Conv2d | nn.Tanh) for m in gan.modules())
    with torch.no_grad():
        assert gan.generate(1000 * gan.prior(50)).abs().max() > 1


# ------------------------------------------------------------------------------------ improved techniques


def test_feature_matching_compares_means_of_batches() -> None:
    real, fake = torch.randn(2, 8, 5)
    order = torch.randperm(8)
    torch.testing.assert_close(losses.mean_matching(real, fake[order]), losses.mean_matching(real, fake))
    assert losses.mean_matching(real, real[order]).item() == pytest.approx(0, abs=1e-10)
    assert (real - real[order]).square().mean() > 0.1  # what a per-sample error would say
    gan: Any = make("improved", feature_matching=True)
    assert list(gan.g_objective(feed(gan).at(0))) == ["features"]


def test_only_the_target_of_reals_is_smoothed() -> None:
    def at(logit: float) -> float:
        return losses.smoothed(torch.tensor([logit]), torch.tensor([-1e4]), 0.9).item()

    best = math.log(9)
    assert at(best) == pytest.approx(0.3251, abs=1e-4)
    assert at(best) < min(at(best - 0.1), at(best + 0.1))
    fakes = torch.tensor([-1.0, 2.0])
    sides = [losses.smoothed(torch.tensor([best]), fakes, target) for target in (0.9,)]
    assert sides[0].item() - at(best) == pytest.approx(nn.functional.softplus(fakes).mean().item(), abs=1e-6)


def test_minibatch_discrimination_counts_neighbours_and_not_oneself() -> None:
    layer = improved.MinibatchDiscrimination(6, 4)
    one = torch.randn(1, 6)
    torch.testing.assert_close(layer(one.expand(5, 6)), torch.full((5, 4), 4.0))
    assert layer(1000 * torch.randn(5, 6)).abs().max() < 1e-4


def test_an_image_under_virtual_batch_norm_does_not_see_the_others() -> None:
    for reference, independent in ((8, True), (0, False)):
        gan: Any = make("improved", reference=reference)
        z = gan.prior(4)
        changed = torch.cat([z[:3], z[3:] + 5])
        assert torch.allclose(gan.generate(z)[:3], gan.generate(changed)[:3], atol=1e-6) == independent


def test_history_is_the_mean_of_all_weights_so_far() -> None:
    network = nn.Linear(2, 1, bias=False)
    history: Any = improved.History(network)
    nn.init.constant_(network.weight, 0.0)
    history.mean0.zero_()
    for value in (3.0, 6.0):
        nn.init.constant_(network.weight, value)
        history.add(network)
    assert history.mean0.tolist() == [[3.0, 3.0]]
    assert history.distance(network).item() == pytest.approx(18.0)
    gan: Any = make("improved", history_weight=1.0)
    log = play_step(gan, gan.players(), [feed(gan).at(0)], Clock(0, 0, 1))
    assert {"D/history", "G/history"} <= set(log)


@pytest.mark.parametrize("options", [{"reference": 4, "history_weight": 0.1}, {"feature_matching": True}])
def test_every_technique_trains(options: dict[str, Any]) -> None:
    gan: Any = make("improved", **options)
    players, log = gan.players(), {}
    for step in range(3):
        log = play_step(gan, players, [feed(gan).at(0)], Clock(step, 0, 1))
    assert all(torch.isfinite(value) for value in log.values())
