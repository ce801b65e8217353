"""CoGAN: what its paper says that can be seen without training."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gancli.data.kinds.unpaired import Unpaired
from gancli.data.request import Request
from gancli.errors import UserError
from gancli.evaluation.image_sets import GeneratedImages, reals_of
from gancli.gan import Clock
from tests.conftest import Cli, noise_images
from tests.variants.small import SPEC, feed, make


def weights(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_last_layer_of_g_and_the_first_of_d_are_each_domains_own() -> None:
    """Public versions share the first layers of D, the wrong end."""
    gan: Any = make("cogan")
    shapes = {name: tuple(p.shape) for name, p in gan.named_parameters() if p.dim() == 4}
    own = [(name[:3], shape) for name, shape in shapes.items() if ".shared." not in name]
    next_to_the_image = (4, SPEC.channels, 4, 4)
    assert own == [(name, next_to_the_image) for name in ("G.a", "G.b", "D.a", "D.b")]
    single: Any = make("dcgan")
    for network in ("G", "D"):
        assert weights(getattr(gan, network)) < 1.9 * weights(getattr(single, network))


def test_a_turn_on_one_domain_changes_the_other() -> None:
    gan: Any = make("cogan").eval()
    z = gan.prior(4)
    before = gan.pair(z)[1].clone()
    a, _ = gan.pair(z)
    a.square().mean().backward()
    with torch.no_grad():
        for p in gan.G.parameters():
            if p.grad is not None:
                p -= 100 * p.grad
    assert not torch.equal(gan.pair(z)[1], before)


def test_with_all_layers_their_own_nothing_is_shared() -> None:
    gan: Any = make("cogan", own_layers=3)
    assert weights(gan.G.shared) == weights(gan.D.shared) == 0
    single: Any = make("dcgan")
    assert weights(gan.G) == 2 * weights(single.G)
    with pytest.raises(UserError, match="--own-layers 4: these networks have 3"):
        make("cogan", own_layers=4)


def test_both_images_of_a_pair_come_from_one_z() -> None:
    gan: Any = make("cogan").eval()
    z = gan.prior(4)
    both = gan.generate(z)
    assert both.shape == (4, 3, 16, 32)
    a, b = gan.pair(z)
    assert torch.equal(both, torch.cat([a, b], 3))
    seen: list[torch.Tensor] = []
    gan.G.shared.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for _ in gan.play(feed(gan).at(0), Clock(0, 0, 1000)):
        pass
    assert len(seen) == 2  # one z for D's turn and one for G's, each drawn once for both domains


def test_sampling_draws_pairs_side_by_side(cli: Cli, tmp_path: Path) -> None:
    for domain in ("day", "night"):
        noise_images(tmp_path / "two" / domain)
    small = ("--width", 4, "--batch", 4, "--steps", 2, "--quiet", "--out", tmp_path / "run")
    assert cli("train", "cogan", "--data", tmp_path / "two", *small).code == 0
    assert cli("sample", tmp_path / "run", "-n", 3, "--out", tmp_path / "pairs.npz").code == 0
    assert np.load(tmp_path / "pairs.npz")["images"].shape == (3, 8, 16, 3)
    assert cli("interpolate", tmp_path / "run", "--frames", 4, "--out", tmp_path / "walk.gif").code == 0
    result = cli("train", "cogan", "--data", tmp_path / "two" / "day", *small[:-1], tmp_path / "other")
    assert result.code == 2
    assert "two sub-folders" in result.err


def test_built_in_domains_hold_no_pair() -> None:
    data = Unpaired.open(Request("shapes-mono"))
    assert len(data.columns["a"]) == len(data.columns["b"])
    assert data.columns["a"].float().mean() < 0.6 * data.columns["b"].float().mean()  # outlines, and what is filled


def test_each_domain_is_judged_against_its_own_images() -> None:
    gan: Any = make("cogan")
    seen: dict[str, list[torch.Tensor]] = {"a": [], "b": []}
    for domain in seen:
        getattr(gan.D, domain).register_forward_pre_hook(lambda _, x, domain=domain: seen[domain].append(x[0]))
    batch = feed(gan).at(0)
    for _ in gan.play(batch, Clock(0, 0, 1000)):
        pass
    assert torch.equal(seen["a"][0], batch.a)
    assert torch.equal(seen["b"][0], batch.b)


@torch.no_grad()
def test_what_it_draws_is_scored_against_its_own_domain() -> None:
    """Its fakes were of the first domain, and the real images of the second."""
    gan: Any = make("cogan")
    gan.pair = lambda z: (torch.full((len(z), 3, 16, 16), -1.0), torch.full((len(z), 3, 16, 16), 1.0))
    data = feed(gan)
    dark, light = torch.zeros_like(data.dataset.columns["a"]), torch.full_like(data.dataset.columns["b"], 255)
    dataset = dataclasses.replace(data.dataset, columns={"a": dark, "b": light})
    real = next(reals_of(dataset, "", None).batches(8))
    drawn = next(GeneratedImages("", lambda _: gan.fakes(data.at(0)), 8, 0).batches(8))
    assert torch.equal(real, drawn)
