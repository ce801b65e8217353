"""A batch in several micro-batches, or over several processes, is one batch: for all turns of every variant."""

import pytest
import torch
from torch import nn

from tests import forked
from tests.variants import shares
from tests.variants.shares import CASES, Played, differences, play

# in float64 rounding stays below 1e-12; what mixes a batch is 2e-2 and more, and other noise moves every gradient by a
# tenth
CLOSE = 1e-9

both = pytest.mark.parametrize("case", CASES)


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """What two processes made of every case."""
    file = tmp_path_factory.mktemp("spread") / "played.pt"
    done = forked.together(2, file, program=shares.main)
    assert done.returncode == 0, done.stderr[-2000:]
    return {case: Played(**played) for case, played in torch.load(file).items()}


@pytest.mark.processes
@both
def test_two_processes_are_one(case: str, spread: dict[str, Played]) -> None:
    found = differences(play(case), spread[case])
    assert {name: value for name, value in found.items() if value > CLOSE} == {}


def by_running_statistics(module: nn.Module) -> None:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.eval()


@both
def test_micro_batches_are_one_batch_or_said_to_mix_it(case: str) -> None:
    """Batch norms take their running statistics here: what else mixes a batch must be named, and nothing else."""
    whole, parts = (play(case, parts, by_running_statistics) for parts in (1, 4))
    apart = {name: value for name, value in differences(whole, parts).items() if value > CLOSE}
    mixes = [what for what in shares.built(case).mixes() if what != "batch norm"]
    assert bool(apart) == bool(mixes), (apart, mixes)
