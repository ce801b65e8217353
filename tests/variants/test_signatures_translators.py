"""What the translators are known by, on fresh networks: who shares what, who sees what, which term is zero when."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.gan import GAN, Clock, Turn
from tests.variants.small import feed, make

CLOCK = Clock(0, 0, 1000)


def turns(gan: GAN[Any], batch: Any, clock: Clock = CLOCK, seed: int = 5) -> dict[str, Turn]:
    """Play one step in which nobody moves."""
    torch.manual_seed(seed)
    return {turn.player: turn for turn in gan.play(batch, clock)}


def values(found: dict[str, Turn]) -> dict[str, float]:
    return {f"{player}/{name}": float(t.detach()) for player, turn in found.items() for name, t in turn.terms.items()}


class Same(nn.Module):
    """Translates nothing, and has a weight to differentiate."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def test_cyclegans_cycle_and_identity_are_zero_for_networks_that_change_nothing() -> None:
    gan: Any = make("cyclegan")
    terms = values(turns(gan, feed(gan).at(0)))
    assert min(terms["G/cycle"], terms["G/identity"]) > 0.1
    gan.AB, gan.BA = Same(), Same()
    terms = values(turns(gan, feed(gan).at(0)))
    assert terms["G/cycle"] == terms["G/identity"] == 0


def test_cyclegans_terms_have_the_papers_weights() -> None:
    gan: Any = make("cyclegan")
    batch = feed(gan).at(0)
    one = values(turns(gan, batch))
    gan.hp = dataclasses.replace(gan.hp, cycle=20.0)
    two = values(turns(gan, batch))
    for name in ("G/cycle", "G/identity"):
        assert two[name] == pytest.approx(2 * one[name], rel=1e-5)
    assert two["G/adversarial"] == pytest.approx(one["G/adversarial"])


@pytest.mark.parametrize("name", ["cyclegan", "dualgan", "discogan", "unit", "cut"])
def test_no_term_compares_row_i_of_one_domain_with_row_i_of_the_other(name: str) -> None:
    """Unpaired: B in another order gives the same losses."""
    options = {"pool": 0, "dropout": 0.0, "patches": 256}
    gan = make(name, **options).eval()  # without UNIT's noise
    batch = feed(gan).at(0)
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(1))
    shuffled = dataclasses.replace(batch, b=batch.b[order])
    before, after = values(turns(gan, batch)), values(turns(gan, shuffled))
    assert before == pytest.approx(after, rel=1e-4)


def test_pix2pixs_d_sees_what_was_translated() -> None:
    gan: Any = make("pix2pix")
    batch = feed(gan).at(0)
    said = gan.judge(batch.source, batch.target)
    assert not torch.allclose(said, gan.judge(batch.source.flip(0), batch.target))
    assert not torch.allclose(said, gan.judge(batch.source, batch.target.flip(0)))


@pytest.mark.parametrize("name", ["pix2pix", "dualgan"])
def test_dropout_is_the_noise(name: str) -> None:
    gan: Any = make(name)
    image = feed(gan).at(0)
    image = getattr(image, "source", None) if name == "pix2pix" else image.a
    one, other = gan.train().translate(image, "AB"), gan.translate(image, "AB")
    assert not torch.equal(one, other)
    gan.eval()
    assert torch.equal(gan.translate(image, "AB"), gan.translate(image, "AB"))


def test_unit_shares_the_middle_and_draws_noise_in_training_only() -> None:
    gan: Any = make("unit")
    batch = feed(gan).at(0)
    assert not torch.equal(gan.noisy(batch.a), batch.a)
    gan.eval()
    assert torch.equal(gan.noisy(batch.a), batch.a)
    before = gan.translate(batch.b, "BA")
    with torch.no_grad():
        for shared in (gan.E, gan.S):
            for p in shared.parameters():
                p.mul_(1.5)
    assert not torch.allclose(before, gan.translate(batch.b, "BA"))  # what A's images train changes B's
    own = {id(p) for net in (gan.EA, gan.EB, gan.GA, gan.GB) for p in net.parameters()}
    assert not own & {id(p) for net in (gan.E, gan.S) for p in net.parameters()}


def test_cut_goes_one_way_with_one_network_each() -> None:
    cut, cycle = make("cut"), make("cyclegan")

    def count(*nets: Any) -> int:
        return sum(p.numel() for net in nets for p in net.parameters())

    ours: Any = cut
    both: Any = cycle
    assert count(ours.G, ours.D) * 2 == count(both.AB, both.BA, both.DA, both.DB)
    assert ours.directions == ("AB",)


def test_cuts_content_term_is_least_for_what_was_not_changed() -> None:
    gan: Any = make("cut", patches=64)
    a = feed(gan).at(0).a
    with torch.no_grad():
        kept = gan.nce(a, gan.G.encoder.features(a))
        lost = gan.nce(a, gan.G.encoder.features(a.flip(0)))
    assert kept < lost


def test_discogans_share_of_the_round_trip_rises() -> None:
    gan: Any = make("discogan")
    batch = feed(gan).at(0)
    early, late = (values(turns(gan, batch, Clock(0, images, 1000))) for images in (0, 500))
    assert late["G/recon"] == pytest.approx(50 * early["G/recon"], rel=1e-3)  # 0.01, then 0.5
    assert late["G/features"] < early["G/features"]
