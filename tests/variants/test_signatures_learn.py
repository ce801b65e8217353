"""Every signature at every seed: the good run passes, and the control does not. Slow."""

from typing import Any

import pytest
import torch

from gancli.capabilities import each_class
from gancli.system.seeds import seed_all
from tests.variants.signatures.labels import agreement
from tests.variants.signatures.table import Signature
from tests.variants.signatures.tables import SEEDS, SIGNATURES
from tests.variants.training import TOY, train

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("one", SIGNATURES, ids=lambda one: f"{one.variant}-{one.measure.__name__}")
def test_the_variant_has_it_and_its_control_does_not(one: Signature, seed: int) -> None:
    good, control = one.measure(seed, False), one.measure(seed, True)
    assert one.good(good), good
    assert not one.good(control), control


@pytest.mark.parametrize("conditioning", ["hadamard", "two-net", "projection"])
def test_every_conditioning_draws_what_it_is_asked_for(conditioning: str) -> None:
    gan = train("cgan", "digits", 500, 0, conditioning=conditioning, **TOY)[0]
    assert agreement(gan) > 0.6
    assert spread(gan) > 0.05


@torch.no_grad()
def spread(gan: Any) -> float:
    """Deviation of pixels within a class: near 0 when G ignores z."""
    seed_all("spread")
    fakes = gan.generate(each_class(gan, gan.prior(50)))
    return float(fakes.view(len(gan.classes), 50, -1).std(1).mean())


def test_a_walk_is_smooth_and_leads_somewhere() -> None:
    """Radford et al. 2016, section 6.1: no sharp transitions, no memorised pictures. Control: a collapsed G."""
    gan: Any = train("dcgan", "shapes-easy", 600, 0, live=True, width=16)[0]

    def steps(gan: Any) -> tuple[float, float]:
        with torch.no_grad():
            seed_all("walk")
            a, b = gan.prior(64), gan.prior(64)
            path = torch.stack([gan.generate(torch.lerp(a, b, t)) for t in torch.linspace(0, 1, 10).tolist()])
        return float((path[1:] - path[:-1]).square().mean().sqrt()), float((path[0] - path[-1]).square().mean().sqrt())

    step, apart = steps(gan)
    assert 0.01 < step <= apart / 3
    for weight in gan.G.parameters():
        weight.data.zero_()
    assert not steps(gan)[0] > 0.01
