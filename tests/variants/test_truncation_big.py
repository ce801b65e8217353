"""Truncation of biggan and biggan-deep: values of z within a bound, and statistics of such latents."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.checkpoints.ema import pruned
from gancli.errors import UserError
from gancli.families.high_fidelity import big
from gancli.inference.sampling.truncation import chooser
from gancli.system import cache
from gancli.system.seeds import seed_all
from tests.inference.truncated import chosen, model_of
from tests.variants.small import make

BIG = ("biggan", "biggan-deep")


@pytest.fixture
def few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure standing statistics on a few batches: in tests on most of them it takes seconds."""
    monkeypatch.setattr(big, "BATCHES", 3)


def served(name: str, **options: Any) -> Any:
    gan: Any = pruned(make(name, **options)).eval().requires_grad_(False)
    for weight in gan.G.buffers():
        assert weight.isfinite().all()
    return gan


@pytest.mark.parametrize(("truncation", "deviation"), [(0.5, 0.284), (1.0, 0.540), (2.0, 0.880)])
def test_truncated_values_have_the_support_and_deviation_of_repeated_draws(truncation: float, deviation: float) -> None:
    gan = served("biggan", z_dim=60)
    seed_all("truncated")
    z = gan.truncated(3000, truncation)[:, :60]
    assert z.abs().max() <= truncation
    assert float(z.std()) == pytest.approx(deviation, abs=0.003)
    assert float(z.mean()) == pytest.approx(0, abs=0.006)
    assert int((z.abs() == truncation).sum()) <= 1
    seed_all("truncated")
    free = gan.prior(3000)[:, :60]
    assert torch.equal(z[free.abs() <= truncation], free[free.abs() <= truncation])
    assert int((free.clamp(-truncation, truncation).abs() == truncation).sum()) > 1000  # what clamping would do


@pytest.mark.parametrize("truncation", [0.0, -1.0, 2.01, math.nan, math.inf])
@pytest.mark.parametrize("name", BIG)
def test_other_truncations_are_refused(name: str, truncation: float) -> None:
    gan = served(name)
    with pytest.raises(UserError, match="above 0, up to 2"):
        chooser(gan, model_of(gan, name), truncation)


def statistics_of(gan: Any) -> Tensor:
    return torch.cat([value for name, value in gan.G.named_buffers() if "running" in name])


@pytest.mark.parametrize("name", BIG)
@pytest.mark.usefixtures("few_batches")
def test_standing_statistics_depend_on_the_truncation_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured once, then read from the cache, and measured again where that is damaged."""
    gan = served(name)
    model = model_of(gan, f"standing {name}")
    running = statistics_of(gan)
    seed_all("anything")
    state = torch.get_rng_state()
    first, again, other = {}, {}, {}
    for found, truncation in ((first, 0.5), (other, 1.5), (again, 0.5)):
        found.update({key: value.clone() for key, value in gan.prepared(truncation).items()})
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first)
    assert not torch.equal(statistics_of(gan), running)
    assert not any(module.training for module in gan.G.modules())
    z = chosen((gan, model), 1.5, range(2))
    monkeypatch.setattr(type(gan), "prepared", None)
    fresh = served(name)
    assert torch.equal(chosen((fresh, model), 1.5, range(2)), z)
    assert torch.equal(statistics_of(fresh), torch.cat(list(other.values())))


@pytest.mark.usefixtures("few_batches")
def test_damaged_statistics_in_the_cache_are_measured_again(capsys: pytest.CaptureFixture[str]) -> None:
    gan = served("biggan")
    model = model_of(gan, "damaged")
    chosen((gan, model), 0.7, range(1))
    expected = statistics_of(gan)
    for file in (cache.root() / "prepared").glob("*/buffers.bin"):
        file.write_bytes(bytes(file.stat().st_size))
    fresh = served("biggan")
    chosen((fresh, model), 0.7, range(1))
    assert torch.equal(statistics_of(fresh), expected)
    assert "rebuilding it" in capsys.readouterr().err
