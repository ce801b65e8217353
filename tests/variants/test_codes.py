"""BiGAN, AAE and VAE: what their papers say that can be seen without training."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gancli.capabilities import Encodes
from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.gan import Clock, Turn
from gancli.ops import losses, priors
from gancli.system.seeds import seed_all
from tests.conftest import Cli
from tests.variants.small import feed, make

START = Clock(0, 0, 1000)


def turns(gan: Any, batch: Any) -> dict[str, Turn]:
    seed_all("turns")
    return {turn.player: turn for turn in gan.play(batch, START)}


@pytest.mark.parametrize("name", ["bigan", "aae", "aae-labels", "aae-semi", "aae-cluster", "vae"])
def test_codes_are_read_off_images_and_are_always_the_same(name: str) -> None:
    gan: Any = make(name).eval()
    assert isinstance(make(name), Encodes)
    image = feed(gan).at(0).image
    code = gan.encode(image)
    assert code.shape == gan.prior(len(image)).shape
    assert torch.equal(code, gan.encode(image))
    assert isinstance(gan, Encodes)


@pytest.mark.parametrize("name", ["bigan", "aae", "aae-labels", "aae-semi", "aae-cluster", "vae"])
def test_grids_show_each_source_its_reconstruction_and_draws(name: str) -> None:
    gan: Any = make(name).eval()
    batch = feed(gan).at(0)
    source, again, drawn = gan.panels(batch)
    assert torch.equal(source, batch.image)
    assert torch.equal(again, gan.generate(gan.encode(batch.image)))
    assert drawn.shape == source.shape


# ---------------------------------------------------------------------------------------------- BiGAN


def test_d_weighs_image_and_latent_together() -> None:
    """A D that joins z in its last, linear layer is a sum f(x) + g(z): such a difference of differences is 0."""
    gan: Any = make("bigan", width=32)
    x, y = feed(gan).at(0).image, feed(gan).at(8).image
    z, w = gan.prior(8), gan.prior(8)
    mixed = gan.D(x, z) - gan.D(x, w) - gan.D(y, z) + gan.D(y, w)
    assert mixed.abs().mean() > 1e-4


def test_e_learns_though_no_pixels_are_compared() -> None:
    gan: Any = make("bigan")
    batch = feed(gan).at(0)
    turn = turns(gan, batch)["G"]
    assert list(turn.terms) == ["adversarial"]
    for network in (gan.E, gan.G):
        gradients = torch.autograd.grad(turn.terms["adversarial"], list(network.parameters()), retain_graph=True)
        assert all(g.abs().sum() > 0 for g in gradients[-2:])


def test_g_and_e_minimise_ds_loss_with_its_sides_swapped() -> None:
    gan: Any = make("bigan")
    gan.D.forward = lambda x, z: z.sum(1) * 0 + (2.0 if z is not drawn_z else -1.0)
    batch = feed(gan).at(0)
    drawn_z = gan.prior(len(batch))
    gan.prior = lambda n: drawn_z
    played = {turn.player: turn.terms["adversarial"].item() for turn in gan.play(batch, START)}
    sure = math.log1p(math.exp(-2.0)) + math.log1p(math.exp(-1.0))  # D says 2 of (x, E(x)) and -1 of (G(z), z)
    fooled = math.log1p(math.exp(1.0)) + math.log1p(math.exp(2.0))
    assert played == {"D": pytest.approx(sure), "G": pytest.approx(fooled)}


def test_the_learning_rate_falls_in_the_second_half() -> None:
    gan = make("bigan")
    rates = [gan.schedule(Clock(0, images, 1000))["G"]["lr"] for images in (0, 500, 750, 1000)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-6])


@pytest.mark.parametrize("network", ["E", "G"])
def test_bigan_normalises_in_both_directions(network: str) -> None:
    gan = make("bigan")
    assert any(isinstance(module, nn.BatchNorm2d) for module in getattr(gan, network).modules())


# ------------------------------------------------------------------------------------------------ AAE


def test_d_sees_codes_alone_and_calls_the_prior_real() -> None:
    gan: Any = make("aae", z_dim=2)
    seen: list[Tensor] = []
    gan.D["style"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    batch = feed(gan).at(0)
    seed_all("turns")
    loss = {turn.player: turn for turn in gan.play(batch, START)}["D"].terms["style"]
    prior, code = seen[:2]
    assert {tuple(z.shape) for z in seen} == {(len(batch), 2)}
    assert torch.equal(code, gan.encode(batch.image))
    judge = gan.D["style"]
    assert torch.equal(loss, losses.NONSATURATING.d(judge(prior), judge(code)))


@pytest.mark.parametrize("name", ["aae", "aae-semi", "bigan", "vae"])
def test_the_code_is_linear_not_squashed(name: str) -> None:
    gan: Any = make(name)
    assert isinstance(gan.E.net[-1], nn.Linear)
    with torch.no_grad():
        gan.E.net[-1].weight.mul_(1000)
    style = gan.encode(feed(gan).at(0).image)[:, : gan.hp.z_dim]
    assert style.max() > 5
    assert style.min() < -5


def test_the_three_turns_are_apart() -> None:
    """Reconstruction and adversary in one loss, at .999 and .001, would hardly shape the code."""
    gan: Any = make("aae")
    assert {p: list(t.terms) for p, t in turns(gan, feed(gan).at(0)).items()} == {
        "G": ["reconstruction"],
        "D": ["style"],
        "E": ["style"],
    }


def test_priors_in_the_plane_need_a_planar_latent() -> None:
    with pytest.raises(UserError, match="--z-dim 2"):
        make("aae", prior="swissroll", z_dim=3)
    gan: Any = make("aae", prior="mixture", z_dim=2)
    assert gan.prior(5).shape == (5, 2)


def test_a_latent_with_a_label_lies_on_its_petal_and_can_be_read_back() -> None:
    gan: Any = make("aae-labels", z_dim=4)
    z = gan.prior(1000)
    z = z[z[:, :2].abs().amax(1) <= 1.5]  # farther out, petals overlap
    place = gan.place(z)
    angle = torch.atan2(place[:, 1], place[:, 0]) / (2 * math.pi / 3)
    assert torch.equal(angle.round().long() % 3, gan.label_of(z))
    assert torch.equal(place[:, 2:], z[:, 2:4])
    noise, density = priors.unpetalled(place, 3)
    back = torch.cat([noise, gan.one_hot(density.argmax(1))], 1)
    torch.testing.assert_close(back, z, atol=1e-5, rtol=0)
    with pytest.raises(UserError, match="2 axes"):
        make("aae-labels", z_dim=1)


def test_d_is_told_the_label_of_examples_and_that_others_have_none() -> None:
    """Labels in another order would tie the classes to the wrong petals."""
    gan: Any = make("aae-labels")
    seen: list[tuple[Tensor, Tensor]] = []
    judge = gan.judge
    gan.judge = lambda code, told: seen.append((code, told)) or judge(code, told)
    batch = feed(gan).at(0)
    list(gan.play(batch, START))
    for code, told in seen:
        assert (told.argmax(1) == torch.cat([torch.full((8,), 3), batch.label])).all()
        assert code.shape == (16, gan.hp.z_dim)
    drawn = seen[0][0]
    petal = priors.unpetalled(drawn[8:], 3)[1].argmax(1)
    far = priors.unpetalled(drawn[8:], 3)[0].abs()[:, :2].amax(1) < 2
    assert torch.equal(petal[far], batch.label[far])


@pytest.mark.parametrize("name", ["aae-semi", "aae-cluster"])
def test_the_category_is_judged_as_a_label_and_the_style_as_noise(name: str) -> None:
    gan: Any = make(name)
    style, category = gan.prior(8).tensor_split([gan.hp.z_dim], 1)
    assert category.shape == (8, gan.categories)
    assert torch.equal(category.sum(1), torch.ones(8))
    assert set(category.unique().tolist()) == {0.0, 1.0}
    read = gan.encode(feed(gan).at(0).image)
    torch.testing.assert_close(read[:, gan.hp.z_dim :].sum(1), torch.ones(8))
    played = turns(gan, feed(gan).at(0))
    assert list(played["D"].terms) == list(played["E"].terms) == ["style", "category"]
    assert gan.D["style"].net[0].in_features == style.shape[1]


def test_labels_teach_the_category_only_in_semi_supervision() -> None:
    gan: Any = make("aae-semi")
    batch = feed(gan).at(0)
    played = turns(gan, batch)
    torch.testing.assert_close(
        played["C"].terms["class"], nn.functional.cross_entropy(gan.classify(batch.example), batch.label)
    )
    assert make("aae-cluster").data is Images


# ------------------------------------------------------------------------------------------------ VAE


def test_kl_of_a_unit_gaussian_one_off_is_a_half() -> None:
    one = torch.ones(4, 1)
    assert losses.kl_from_standard_normal(one, 0 * one).item() == pytest.approx(0.5)
    assert losses.kl_from_standard_normal(0 * one, 0 * one).item() == 0
    sums = losses.kl_from_standard_normal(torch.ones(4, 3), torch.zeros(4, 3)).item()
    assert sums == pytest.approx(1.5)  # over the code, not their mean


def test_the_bound_is_the_likelihood_where_the_posterior_is_exact() -> None:
    """x = w z + sigma n: everything is Gaussian, and log p(x) is known (appendix B and C.2)."""
    sigma, w = 0.3, 0.8
    gan: Any = make("vae", DataSpec(1, 8, 8), z_dim=1, sigma=sigma)
    x = torch.full((20_000, 1, 1, 1), 0.7)
    variance = 1 / (1 + w**2 / sigma**2)
    exact = torch.tensor([variance * w / sigma**2 * 0.7, math.log(variance)])
    gan.E.forward = lambda image: exact.expand(len(image), 2)
    gan.G.forward = lambda z: w * z[:, :, None, None]
    terms = turns(gan, Images(x))["G"].terms
    bound = -sum(t.item() for t in terms.values()) - math.log(sigma * math.sqrt(2 * math.pi))
    likelihood = torch.distributions.Normal(0.0, math.sqrt(w**2 + sigma**2)).log_prob(torch.tensor(0.7))
    assert bound == pytest.approx(float(likelihood), abs=0.02)
    exact += torch.tensor([0.3, 0.2])  # any other posterior leaves a gap
    terms = turns(gan, Images(x))["G"].terms
    assert -sum(t.item() for t in terms.values()) - math.log(sigma * math.sqrt(2 * math.pi)) < likelihood - 0.1


# ---------------------------------------------------------------------------- from the command line


@pytest.mark.parametrize("name", ["aae-labels", "aae-semi", "aae-cluster"])
def test_classes_of_an_autoencoder_can_be_asked_for(name: str, cli: Cli, tmp_path: Path) -> None:
    small = ("--data", "digits", "--width", 8, "--batch", 8, "--steps", 2, "--quiet", "--out", tmp_path / "run")
    assert cli("train", name, *small).code == 0
    drawn = cli("sample", tmp_path / "run", "-n", 2, "--class", "all", "--out", tmp_path / "all.npz")
    assert drawn.code == 0, drawn.err
    labels = np.load(tmp_path / "all.npz")["labels"]
    assert labels.tolist() == sorted([*range(16 if name == "aae-cluster" else 10)] * 2)
    picture = tmp_path / "seven.png"
    assert cli("sample", tmp_path / "run", "-n", 1, "--class", 7, "--out", picture).code == 0
    walk = cli(
        "interpolate", tmp_path / "run", "--images", picture, picture, "--frames", 3, "--out", tmp_path / "w.gif"
    )
    assert walk.code == 0, walk.err
    named = cli("classify", tmp_path / "run", picture)
    assert named.code == 0, named.err
