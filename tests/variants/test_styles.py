"""What the papers on styles and on StyleGAN2's game say."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from gancli.capabilities import Styled
from gancli.data.kinds.labelled import OptionallyLabelled
from gancli.data.spec import DataSpec
from gancli.engine.step import play_step
from gancli.families.high_fidelity.styles import bounded
from gancli.gan import Clock
from gancli.nets.high_fidelity import mapping as mapping_network
from gancli.ops import penalties
from gancli.registry import load
from gancli.system.seeds import seed_all
from tests.conftest import Cli
from tests.variants.small import feed, make

START = Clock(0, 0, 1000)


def turns(gan: Any, clock: Clock = START, batch: Any = None) -> list[Any]:
    """The turns of a step in which nobody moves."""
    seed_all("step")
    return list(gan.play(batch or feed(gan).at(0), clock))


def noisy(gan: Any) -> Any:
    """Networks as if trained a little: noise is seen, means are known."""
    with torch.no_grad():
        for name, weight in gan.named_parameters():
            if name.endswith("noise_strength"):
                weight.fill_(0.3)
    for _ in range(3):
        gan.follow_styles()
    return gan.eval()


# ------------------------------------------------------------------------------------------- styles


@pytest.mark.parametrize("labels", [True, False])
def test_psi_moves_styles_from_their_mean_to_their_own(labels: bool) -> None:
    gan = noisy(make("stylegan2", labels=labels))
    assert isinstance(cast(object, gan), Styled)
    z = gan.prior(6)
    w, mean = gan.styles(z), gan.mean_styles(z)
    assert w.shape == mean.shape == (6, gan.style_layers, gan.hp.w_dim)
    torch.testing.assert_close(gan.synthesise(torch.lerp(mean, w, 1.0)), gan.generate(z))
    collapsed = gan.synthesise(torch.lerp(mean, w, 0.0))
    classes = gan.label_of(z)
    for i in range(6):
        same = [j for j in range(6) if classes[j] == classes[i]]
        for j in same:  # one image for all noise, of each class
            torch.testing.assert_close(collapsed[i], collapsed[j])
    assert not torch.allclose(gan.generate(z)[0], gan.generate(z)[1])
    if labels:
        one, other = (gan.of_class(z[:1], torch.tensor([k])) for k in (0, 1))
        assert not torch.equal(gan.mean_styles(one), gan.mean_styles(other))


@pytest.mark.parametrize("labels", [True, False])
def test_the_mean_of_w_follows_the_mapping(labels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_network, "KEPT", 0.98)
    gan: Any = make("stylegan2", labels=labels, batch=64, mapping=2)
    mapping = gan.G.mapping
    assert mapping.w_avg.shape == ((3, 5) if labels else (5,))
    for _ in range(350):  # of what it began with, 0.1 % is left
        gan.follow_styles()
    z = gan.prior(6000)
    with torch.no_grad():
        w = mapping(z)
    for k in range(3 if labels else 1):
        of_class = w[gan.label_of(z) == k]
        # a mean that forgets at this rate is worth (1 + 0.98) / (1 - 0.98) steps of some 20 latents: 5 standard errors
        error = 5 * of_class.std(0) * (1 / 2000 + 1 / (99 * 20)) ** 0.5
        assert ((mapping.w_avg.view(-1, 5)[k] - of_class.mean(0)).abs() < error).all()


def test_the_mean_of_a_class_stays_where_none_of_it_was_drawn() -> None:
    gan = noisy(make("stylegan2"))
    mapping, z = gan.G.mapping, gan.prior(8)
    before = mapping.w_avg.clone()
    mapping.follow(gan.of_class(z, torch.zeros(8, dtype=torch.int64)))
    assert torch.equal(mapping.w_avg[1:], before[1:])
    assert not torch.equal(mapping.w_avg[0], before[0])


def test_fakes_have_the_labels_of_the_batch_and_d_is_told_them() -> None:
    gan: Any = make("stylegan2")
    seen: list[Tensor] = []
    gan.G.mapping.register_forward_pre_hook(lambda _, given: seen.append(gan.label_of(given[0])))
    label = torch.tensor([2, 2, 2, 2, 2, 2, 0, 1])
    batch = OptionallyLabelled(torch.randn(8, 3, 16, 16), label)
    played = turns(gan, batch=batch)
    assert [turn.player for turn in played] == ["D", "D", "G", "G"]
    assert all(torch.equal(found, label if len(found) == 8 else label[::2]) for found in seen)
    x, other = batch.image, (label + 1) % 3
    assert not torch.allclose(gan.judge(x, label), gan.judge(x, other))


def test_without_labels_nothing_depends_on_them() -> None:
    gan: Any = make("stylegan2", labels=False)
    assert gan.classes == ()
    assert gan.prior(2).shape == (2, gan.hp.z_dim)
    assert gan.D.mapping is None
    assert gan.G.mapping.embed is None


@pytest.mark.parametrize("mixing", [0.0, 1.0])
def test_styles_are_mixed_in_training_as_often_as_asked(mixing: float) -> None:
    gan: Any = make("stylegan2", mixing=mixing)
    w = gan.drawn_styles(torch.zeros(32, dtype=torch.int64))
    assert ((w[:, :1] == w[:, -1:]).all(2).all(1) == (mixing == 0)).all()


def test_images_are_within_bounds_and_their_gradient_is_not_cut() -> None:
    x = torch.tensor([-3.0, -1.0, 0.3, 1.0, 7.0], requires_grad=True)
    y = bounded(x)
    assert y.tolist() == [-1.0, -1.0, x[2].item(), 1.0, 1.0]
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad == 1).all()


# ------------------------------------------------------------------------------------------- the game


def test_the_authors_automatic_settings() -> None:
    paper: Any = load("stylegan2").paper
    assert paper(DataSpec(3, 256, 256), 64)["r1"] == pytest.approx(0.2048)
    assert paper(DataSpec(3, 64, 96), 32)["r1"] == pytest.approx(0.0002 * 64 * 96 / 32)
    assert [paper(DataSpec(3, s, s), 32)["lr"] for s in (512, 1024)] == [0.0025, 0.002]
    assert [paper(DataSpec(3, 64, 64), batch)["ema_kimg"] for batch in (32, 64)] == [10, 20]
    assert [paper(DataSpec(3, s, s), 32)["channel_base"] for s in (256, 512)] == [16384, 32768]


def test_the_paper_preset_fits_size_and_batch_and_is_printed(cli: Cli, pictures: Any) -> None:
    tiny = ("--width", 4, "--z-dim", 6, "--w-dim", 6, "--dry-run")
    said = cli("train", "stylegan2", "--data", pictures, "--preset", "paper", "--batch", 64, *tiny).out
    assert "ema-kimg 20" in said or "ema_kimg 20" in said, said


def test_lazy_turns_weigh_as_much_as_turns_in_every_step() -> None:
    lazy, always = (make("stylegan2", r1_every=every, r1=0.5) for every in (4, 1))
    steps = [Clock(step, 0, 1000) for step in range(8)]

    def sums(gan: Any) -> list[float]:
        found = [turn.terms["r1"] for clock in steps for turn in turns(gan, clock) if "r1" in turn.terms]
        return [len(found), float(torch.stack(found).detach().sum())]

    (few, of_few), (many, of_many) = sums(lazy), sums(always)
    assert (few, many) == (2, 8)
    assert of_few == pytest.approx(of_many, rel=1e-5)


def test_r1_is_half_the_squared_slope_at_real_images() -> None:
    gan: Any = make("stylegan2", r1=3.0, r1_every=1)
    batch = feed(gan).at(0)
    expected = penalties.zero_centred(lambda x: gan.D(x, gan.one_hot(batch.label)), batch.image)
    found = next(turn.terms["r1"] for turn in turns(gan, batch=batch) if "r1" in turn.terms)
    torch.testing.assert_close(found, 3 * expected)


def test_optimisers_are_slowed_down_by_the_turns_that_are_added() -> None:
    players = make("stylegan2", lr=0.0025, r1_every=16, path_every=4).players()
    (d,), (g,) = (players[who].param_groups for who in "DG")
    assert d["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert d["betas"] == pytest.approx((0, 0.99 ** (16 / 17)))
    assert g["lr"] == pytest.approx(0.0025 * 4 / 5)
    assert g["betas"] == pytest.approx((0, 0.99 ** (4 / 5)))
    plain = make("stylegan2", lr=0.0025, r1=0.0, path=0.0).players()
    assert [plain[who].param_groups[0]["lr"] for who in "DG"] == [0.0025, 0.0025]


def test_path_lengths_are_those_of_a_linear_synthesis() -> None:
    """J^T y of G(w) = A w, summed over layers, is A^T y: its length, from the definition."""
    seed_all("path")
    a = torch.randn(3 * 4 * 4, 7)
    w = torch.randn(5, 2, 7, requires_grad=True)
    seed_all("y")
    found = penalties.path_lengths(lambda w: (w.sum(1) @ a.T).view(-1, 3, 4, 4), w)
    seed_all("y")
    y = torch.randn(5, 3, 4, 4) / 4
    torch.testing.assert_close(found, (y.flatten(1) @ a).norm(dim=1))  # the same slope in each layer


def test_the_mean_of_path_lengths_follows_them() -> None:
    gan: Any = make("stylegan2", path_every=1, path_decay=0.25)
    assert gan.path_mean == 0
    log = play_step(gan, gan.players(), [feed(gan).at(0)], START)
    assert float(gan.path_mean) == pytest.approx(0.25 * float(log["G/length"]), rel=1e-5)
    (last,) = [turn for turn in turns(gan) if "path" in turn.terms]
    assert last.terms["path"].requires_grad


def test_images_that_d_sees_pass_through_the_augmentation() -> None:
    gan: Any = make("stylegan2")
    seen: list[int] = []
    gan.augmentation.forward = lambda x: seen.append(len(x)) or x
    turns(gan)
    assert seen == [8, 8, 8, 8]  # D's reals and fakes, reals in R1, G's fakes
