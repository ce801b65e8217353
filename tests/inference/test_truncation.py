"""--truncation T keeps the share T of samples that the model rates highest, seed by seed."""

import dataclasses
from functools import lru_cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gancli import registry
from gancli.capabilities import Rates, Samples
from gancli.checkpoints.ema import pruned
from gancli.checkpoints.find import Model
from gancli.engine.step import parameters
from gancli.errors import UserError
from gancli.families.noise import NoiseToImage
from gancli.gan import Clock
from gancli.inference.sampling import truncation
from gancli.inference.sampling.draw import latent_of
from gancli.inference.sampling.styles import steers
from gancli.inference.sampling.truncation import chooser, rated
from gancli.system import cache
from tests.inference.truncated import SEEDS, chosen, model_of
from tests.variants.small import feed, make

OWN = {
    name for name in registry.able(Samples) if {"truncated", "mean_styles"} & {*dir(registry.load(name))}
}  # their own way
RATING = [name for name in registry.able(Rates) if name not in OWN]
CHOOSING = [name for name in RATING if not steers(registry.load(name))]  # others move their styles


@lru_cache
def sampler(name: str) -> tuple[Any, Model]:
    gan = pruned(make(name)).eval().requires_grad_(False)
    return gan, model_of(gan, name)


@pytest.fixture
def toy(request: pytest.FixtureRequest) -> tuple[Any, Model]:
    """A GAN of the test's own, whose rating the test may replace."""
    gan = pruned(make("gan")).eval().requires_grad_(False)
    return gan, model_of(gan, request.node.name)


def random_rating(image: Tensor, z: Tensor) -> Tensor:
    """A number between 0 and 1 that has nothing to do with the sample, but is the same each time."""
    del image
    return (z.double().sum(1) * 1e6).sin().abs()


# ----------------------------------------------------------------------------------------- over the registry


def test_what_rates_is_what_has_a_judge_of_images() -> None:
    assert {"dcgan", "sngan", "ebgan", "began", "improved", "cgan", "acgan", "bigan", "cogan"} < set(RATING)
    assert not {"vae", "aae", "aae-cluster"} & set(RATING)
    assert all(issubclass(registry.load(name), Samples) for name in RATING)


@pytest.mark.parametrize("name", RATING)
def test_a_seed_means_one_latent_in_any_batch_and_with_an_empty_cache(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan, model = sampler(name)
    together = chosen((gan, model), 0.3, range(8))
    assert torch.equal(together[[5]], chosen((gan, model), 0.3, [5]))
    assert torch.equal(together.flip(0), chosen((gan, model), 0.3, reversed(range(8))))
    monkeypatch.setattr(cache.Entry, "read", lambda *_: None)
    assert torch.equal(together, chosen((gan, model), 0.3, range(8)))


@pytest.mark.parametrize("name", RATING)
def test_a_share_of_all_is_none(name: str) -> None:
    assert torch.equal(chosen(sampler(name), 1.0), chosen(sampler(name), None))


def test_a_share_of_all_asks_for_no_rating(toy: tuple[Any, Model], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that is worse than all that the threshold is taken from is a sample, too."""
    monkeypatch.setattr(truncation, "_ratings", lambda *_: [1e9] * truncation.RATED)
    assert torch.equal(chosen(toy, 1.0), chosen(toy, None))


@pytest.mark.parametrize("name", ["ebgan", "began"])
def test_low_energies_are_rated_above_high_ones(name: str) -> None:
    """Noise, as of the test below, has no low energy to learn."""
    gan: Any = make(name)
    gan.D.forward = lambda x: x / 2
    image = torch.ones(3, 3, 16, 16) * torch.tensor([0.1, 1.0, 0.5])[:, None, None, None]
    assert gan.rate(image, torch.zeros(3, 6)).argsort().tolist() == [1, 2, 0]


@pytest.mark.parametrize("name", sorted({n for n in RATING if registry.load(n).judges} - {"ebgan", "began"}))
def test_what_d_has_learnt_to_be_real_is_rated_above_fakes(name: str) -> None:
    """Whatever the sign of its loss: D alone moves, against a G that stands still."""
    gan: Any = make(name, lr=1e-2)
    players, batch = gan.players(), feed(gan).at(0)
    for step in range(20):
        for turn in gan.play(batch, Clock(step, 0, 1000)):
            if turn.player == "D":
                players["D"].zero_grad()
                torch.stack(list(turn.terms.values())).sum().backward(inputs=parameters(players["D"]))
                players["D"].step()
    z = gan.prior(len(batch))
    fake = gan.generate(z)
    real = batch.image if hasattr(batch, "image") else torch.cat([batch.a, batch.b], 3)
    if hasattr(gan, "of_class") and hasattr(batch, "label"):
        z = gan.of_class(z, batch.label)
    of_real = gan.encode(real) if hasattr(gan, "encode") else z
    gan.eval()
    assert gan.rate(real, of_real).mean() > gan.rate(fake, z).mean()


@pytest.mark.parametrize("name", CHOOSING)
def test_the_less_is_kept_the_higher_it_is_rated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a class, where there are some: each is rated apart. Ratings that mean nothing raise nothing."""
    gan, model = sampler(name)
    label = 1 if hasattr(gan, "of_class") else None
    plain, some, few = (rated(gan, chosen((gan, model), share, label=label)) for share in (1.0, 0.6, 0.2))
    assert plain.mean() < some.mean() < few.mean()
    with monkeypatch.context() as patch:
        patch.setattr(type(gan), "rate", staticmethod(random_rating))
        at_random = chosen((gan, dataclasses.replace(model, fingerprint=f"{name} at random")), 0.2, label=label)
    error = (2 / len(SEEDS)) ** 0.5 * plain.std()
    assert abs(rated(gan, at_random).mean() - plain.mean()) < 4 * error
    assert few.mean() - plain.mean() > 4 * error


@pytest.mark.parametrize("name", RATING)
def test_a_rating_is_of_one_sample_whatever_else_is_in_the_batch(name: str) -> None:
    gan, _ = sampler(name)
    z = chosen(sampler(name), None)
    torch.testing.assert_close(rated(gan, z)[7:9], rated(gan, z[7:9]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(registry.able(Samples)) - set(RATING) - OWN))
def test_what_cannot_rate_is_refused(name: str) -> None:
    gan = pruned(make(name))
    with pytest.raises(UserError, match=f"{type(gan).__name__} has no discriminator to rate its images"):
        chooser(gan, model_of(gan, name), 0.7)


# -------------------------------------------------------------------------------------------------- the share


@pytest.mark.parametrize("share", [0.7, 0.25])
def test_that_share_of_seeds_keeps_what_it_gives_anyway(toy: tuple[Any, Model], share: float) -> None:
    seeds = range(300)
    kept = (chosen(toy, share, seeds) == chosen(toy, None, seeds)).all(1).double().mean()
    assert kept == pytest.approx(share, abs=0.1)


def test_a_stronger_truncation_only_passes_over_more(toy: tuple[Any, Model]) -> None:
    """What is among the best tenth is among the best half: a seed that keeps its sample at .1 keeps it at .5."""
    plain, half, tenth = (chosen(toy, share) for share in (None, 0.5, 0.1))
    kept_half, kept_tenth = (half == plain).all(1), (tenth == plain).all(1)
    assert kept_tenth.any()
    assert (kept_half | ~kept_tenth).all()


def test_classes_keep_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though D rates one class far above the others: with one threshold, only it would be left."""
    gan, model = sampler("cgan")
    seeds = range(150)
    monkeypatch.setattr(type(gan), "rate", lambda self, image, z: 100.0 * self.label_of(z) + random_rating(image, z))
    model = dataclasses.replace(model, fingerprint="one class above all")
    labels: Any = gan
    share = torch.bincount(labels.label_of(chosen((gan, model), 0.3, seeds)), minlength=3) / len(seeds)
    assert (share - 1 / 3).abs().max() < 0.15
    z = chosen((gan, model), 0.3, seeds, label=1)
    assert (labels.label_of(z) == 1).all()
    assert random_rating(z, z).mean() > 0.75  # of uniform numbers: the best 30 % are above .7


# ------------------------------------------------------------------------------------------ ratings of no use


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -float("inf")])
def test_ratings_that_are_all_alike_pass_everything(toy: tuple[Any, Model], value: float) -> None:
    toy[0].rate = lambda image, _z: torch.full((len(image),), value)
    assert torch.equal(chosen(toy, 0.5), chosen(toy, None))


@given(share=st.floats(truncation.LEAST, 0.99))
def test_ratings_that_never_pass_end_and_say_so(share: float) -> None:
    gan: Any = pruned(make("gan")).eval()
    calls: list[int] = []

    def worse_and_worse(image: Tensor, _z: Tensor) -> Tensor:
        calls.append(len(image))
        return -len(calls) - torch.arange(len(image)) / len(image)

    gan.rate = worse_and_worse
    said: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truncation, "warn", said.append)
        patch.setattr(truncation, "_ratings", lambda *_: [float(i) for i in range(truncation.RATED)])
        z = chooser(gan, model_of(gan, "x"), share)(3, None)
    assert torch.equal(z, latent_of(gan, 3, None))  # the first is the best of them
    assert sum(calls) <= truncation.ROUNDS * (1 / share + 1)
    assert len(said) == 1
    assert "no sample of seed 3 was rated high enough" in str(said[0])


def test_a_rating_of_another_shape_is_named(toy: tuple[Any, Model]) -> None:
    toy[0].rate = lambda image, _z: image
    with pytest.raises(UserError, match=r"OriginalGAN\.rate returns shape \(2, 3, 16, 16\) for 2 images|for 50 images"):
        chosen(toy, 0.5)


def test_a_damaged_entry_of_the_cache_is_made_again(toy: tuple[Any, Model], capsys: pytest.CaptureFixture[str]) -> None:
    before = chosen(toy, 0.3)
    for about in (cache.root() / "ratings").glob("*/about.json"):
        about.write_text('{"about": {"ratings": [1, 2]}, "files": {}, "sha256": ""}')
    assert torch.equal(chosen(toy, 0.3), before)
    assert "rebuilding it" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------- a way of its own


def test_a_model_with_a_way_of_its_own_takes_that() -> None:
    class Bounded(NoiseToImage[Any]):
        truncates_by = "latents with |z| <= T"

        def truncated(self, n: int, truncation: float) -> Tensor:
            return self.prior(n).clamp(-truncation, truncation)

    gan = make("gan")
    own = Bounded(gan.hp, gan.spec)
    z = chosen((own, model_of(own, "own")), 1.3, range(9))
    assert torch.equal(z, chosen((own, model_of(own, "own")), None, range(9)).clamp(-1.3, 1.3))
    assert truncation.truncated(own, 1.3) == {"truncation": 1.3, "truncated_by": "latents with |z| <= T"}
    assert truncation.refusal(Bounded, ["G"]) is None  # it needs no D
