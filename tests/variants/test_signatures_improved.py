"""What the improved techniques are known by: means of batches, smoothed targets, neighbours and references."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.nets import improved
from gancli.ops import losses
from tests.variants.small import feed, make


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
