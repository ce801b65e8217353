"""--truncation T keeps the share T of samples that the model rates highest, seed by seed."""

import dataclasses
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA, pruned
from gancli.checkpoints.find import Model
from gancli.checkpoints.load import load_model
from gancli.engine.step import parameters
from gancli.errors import UserError
from gancli.families.noise import NoiseToImage
from gancli.gan import GAN, Clock, Rates, Samples
from gancli.images.writing import read_about, save_png
from gancli.inference.sampling import truncation
from gancli.inference.sampling.draw import latent_of
from gancli.inference.sampling.truncation import chooser, rated
from gancli.system import cache
from tests.conftest import Cli, Trained
from tests.variants.small import feed, make, steps

RATING = registry.able(Rates)
SEEDS = range(60)
QUICK = ("--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)


def model_of(gan: GAN[Any], fingerprint: str, path: str = "x.safetensors", name: str = "?") -> Model:
    hp, spec = dataclasses.asdict(gan.hp), dataclasses.asdict(gan.spec)
    return Model(
        Path(path), checkpoint.About(name, hp, spec, {"step": 0, "images": 0, "total": 0}, {}, {}), fingerprint
    )


@lru_cache
def sampler(name: str) -> tuple[Any, Model]:
    gan = pruned(make(name)).eval().requires_grad_(False)
    return gan, model_of(gan, name)


@pytest.fixture
def toy(request: pytest.FixtureRequest) -> tuple[Any, Model]:
    """A GAN of the test's own, whose rating the test may replace."""
    gan = pruned(make("gan")).eval().requires_grad_(False)
    return gan, model_of(gan, request.node.name)


def chosen(of: tuple[Any, Model], share: float | None, seeds: Any = SEEDS, label: int | None = None) -> Tensor:
    choose = chooser(*of, share)
    return torch.cat([choose(seed, label) for seed in seeds])


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


@pytest.mark.parametrize("name", RATING)
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


@pytest.mark.parametrize("name", sorted(set(registry.able(Samples)) - set(RATING)))
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


# -------------------------------------------------------------------------------------- files without the judge


@pytest.fixture
def of_before(tmp_path: Path) -> tuple[Path, Any, EMA]:
    """A checkpoint as it was written when D was not served, and what it was written from."""
    gan = make("dcgan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(gan), "judges", ())
        players, ema = gan.players(), EMA(gan)
        steps(gan, players, ema, 3)
        file = tmp_path / "before.safetensors"
        about = dataclasses.replace(model_of(gan, "", name="dcgan").about, clock={"step": 3, "images": 24, "total": 99})
        checkpoint.save(file, about, gan, players, ema)
    assert not any(key.startswith("D.") for key in ema.gan.state_dict())
    return file, gan, ema


def opened(file: Path) -> Model:
    return Model(file, checkpoint.describe(file), checkpoint.fingerprint(file))


def test_a_whole_checkpoint_of_before_rates_with_d_as_trained_and_resumes(
    of_before: tuple[Path, Any, EMA],
) -> None:
    file, before, _ = of_before
    gan: Any = load_model(opened(file))
    assert all(torch.equal(a, b) for a, b in zip(gan.D.state_dict().values(), before.D.state_dict().values()))
    assert len(chosen((gan, opened(file)), 0.5, [1])) == 1
    resumed = make("dcgan")
    players, ema = resumed.players(), EMA(resumed)
    assert checkpoint.restore(file, resumed, players, ema).step == 3
    its: Any = ema.gan
    assert all(torch.equal(a, b) for a, b in zip(its.D.state_dict().values(), before.D.state_dict().values()))


def test_a_stripped_checkpoint_of_before_samples_but_does_not_truncate(
    of_before: tuple[Path, Any, EMA], cli: Cli
) -> None:
    file, *_ = of_before
    assert "samples that D rates highest" in cli("info", file).out
    checkpoint.strip(file)
    assert cli("sample", file, "-n", 2, "--out", "x.png").code == 0
    refused = cli("sample", file, "--truncation", 0.7, "--out", "y.png")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert "holds no discriminator" in refused.err
    assert "gancli train --resume" in refused.err
    assert not Path("y.png").exists()
    assert "none: the checkpoint holds no discriminator" in cli("info", file).out
    assert json.loads(cli("info", file, "--json").out)["truncation"] is None


def test_a_stripped_checkpoint_of_now_truncates(tmp_path: Path) -> None:
    gan = make("dcgan")
    players, ema = gan.players(), EMA(gan)
    clock = steps(gan, players, ema, 2)
    file = tmp_path / "x.safetensors"
    about = dataclasses.replace(model_of(gan, "", name="dcgan").about, clock=dataclasses.asdict(clock))
    checkpoint.save(file, about, gan, players, ema)
    whole = chosen((load_model(opened(file)), opened(file)), 0.3, range(5))
    checkpoint.strip(file)
    assert torch.equal(whole, chosen((load_model(opened(file)), opened(file)), 0.3, range(5)))


def test_part_of_a_judge_is_no_judge(of_before: tuple[Path, Any, EMA], monkeypatch: pytest.MonkeyPatch) -> None:
    file, gan, _ = of_before
    read = checkpoint._read

    def some(path: Path, part: str) -> dict[str, Tensor]:
        found = read(path, part)
        one = next(key for key in gan.state_dict() if key.startswith("D."))
        return found | {one: gan.state_dict()[one]} if part == "ema" else found

    monkeypatch.setattr(checkpoint, "_read", some)
    with pytest.raises(UserError, match="does not match its own description"):
        load_model(opened(file))


# ------------------------------------------------------------------------------------------ the command line


@pytest.fixture
def run(trained: Trained) -> Path:
    return trained("run", "dcgan", *QUICK)


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_metadata_and_info_say_the_way_and_like_repeats_it(cli: Cli, run: Path) -> None:
    way = "the share of samples that D rates highest"
    assert cli("sample", run, "--seeds", "1,2", "--truncation", 0.4, "--out", "a.png").code == 0
    assert (read_about(Path("a.png"))["truncation"], read_about(Path("a.png"))["truncated_by"]) == (0.4, way)
    assert cli("sample", "--like", "a.png", "--out", "b.png").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert json.loads(cli("info", run, "--json").out)["truncation"] == way
    assert way in cli("info", run).out
    assert cli("sample", run, "-n", 1, "--out", "c.png").code == 0
    assert read_about(Path("c.png"))["truncated_by"] is None


def test_an_image_that_was_truncated_in_another_way_is_not_repeated(cli: Cli, run: Path) -> None:
    """Of the version before, where |z| was bounded: the same words would give another image."""
    cli("sample", run, "--seeds", "1", "--truncation", 0.4, "--out", "a.png")
    said = read_about(Path("a.png"))
    del said["truncated_by"]
    save_png(Image.new("RGB", (8, 8)), Path("old.png"), said)
    result = cli("sample", "--like", "old.png", "--out", "b.png")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "truncated in another way" in result.err
    assert not Path("b.png").exists()


def test_a_share_of_all_gives_the_same_bytes_as_none(cli: Cli, run: Path) -> None:
    cli("sample", run, "-n", 5, "--out", "a.npz")
    cli("sample", run, "-n", 5, "--truncation", 1, "--out", "b.npz")
    assert np.array_equal(np.load("a.npz")["images"], np.load("b.npz")["images"])


def test_a_walk_goes_between_what_sample_chooses(cli: Cli, run: Path) -> None:
    seeds = ("--seeds", "3,8")
    assert cli("sample", run, *seeds, "--truncation", 0.2, "--cols", 2, "--out", "ends.png").code == 0
    walk = ("--frames", 2, "--strip", "--out", "walk.png")
    assert cli("interpolate", run, *seeds, "--truncation", 0.2, *walk).code == 0
    assert np.array_equal(pixels("walk.png"), pixels("ends.png"))
    said = read_about(Path("walk.png"))["walk"]
    assert (said["truncation"], said["truncated_by"]) == (0.2, "the share of samples that D rates highest")
    assert cli("interpolate", run, *seeds, *walk).code == 0
    assert not np.array_equal(pixels("walk.png"), pixels("ends.png"))


def test_walks_that_truncation_has_no_part_in_are_refused(cli: Cli, trained: Trained, pictures: Path) -> None:
    bigan = trained("bigan", "bigan", *QUICK)
    photos = ("--images", pictures / "000.png", pictures / "001.png")
    result = cli("interpolate", bigan, "--truncation", 0.5, *photos)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "--images and --truncation" in result.err
    cgan = trained("cgan", "cgan", "--data", "digits", *QUICK)
    result = cli("interpolate", cgan, "--truncation", 0.5, "--class", "1:2")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "give one class" in result.err
    walk = ("--class", "1", "--truncation", 0.5, "--seeds", "3,4", "--frames", 2, "--strip", "--out", "w.png")
    assert cli("interpolate", cgan, *walk).code == 0
    assert (
        cli("sample", cgan, "--class", "1", "--truncation", 0.5, "--seeds", "3,4", "--cols", 2, "--out", "s.png").code
        == 0
    )
    assert np.array_equal(pixels("w.png"), pixels("s.png"))


def test_every_class_at_once_is_each_by_itself(cli: Cli, trained: Trained) -> None:
    cgan = trained("cgan", "cgan", "--data", "digits", *QUICK)
    options = ("--truncation", 0.5, "--seeds", "3,4")
    assert cli("sample", cgan, "--class", "all", *options, "--out", "all.npz").code == 0
    assert cli("sample", cgan, "--class", "7", *options, "--out", "one.npz").code == 0
    every, one = np.load("all.npz"), np.load("one.npz")
    assert every["labels"].tolist() == [k for k in range(10) for _ in range(2)]
    assert np.array_equal(every["images"][14:16], one["images"])


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_a_model_without_a_judge_of_images_is_refused_in_one_line(cli: Cli, trained: Trained, command: str) -> None:
    vae = trained("vae", "vae", *QUICK)
    result = cli(command, vae, "--truncation", 0.7)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert "VAE has no discriminator to rate its images" in result.err
    assert "none: VAE has no discriminator" in cli("info", vae).out


def test_points_are_truncated_too(cli: Cli, trained: Trained) -> None:
    run = trained("points", "gan", "--data", "ring8", *QUICK)
    assert cli("sample", run, "-n", 30, "--truncation", 0.3, "--out", "a.npz").code == 0
    assert cli("sample", run, "-n", 30, "--out", "b.npz").code == 0
    assert not np.array_equal(np.load("a.npz")["points"], np.load("b.npz")["points"])
