"""Every signature at every seed: the good run passes, and the control does not. Slow."""

import pytest

from tests.variants.signatures import SEEDS, SIGNATURES, Signature

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("one", SIGNATURES, ids=lambda one: f"{one.variant}-{one.measure.__name__}")
def test_the_variant_has_it_and_its_control_does_not(one: Signature, seed: int) -> None:
    good, control = one.measure(seed, False), one.measure(seed, True)
    assert one.good(good), good
    assert not one.good(control), control
