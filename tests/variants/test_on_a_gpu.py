"""What only a GPU shows of every variant: its steps wait for nothing, become graphs, and resume. `pytest -m gpu`."""

import copy
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.capabilities import Fills, Samples
from gancli.data.feed import Feed
from gancli.engine.choose import amp
from gancli.engine.cuda_graphs import Cuda, Graphs, rates_on_device
from gancli.engine.step import play_step
from gancli.gan import GAN, Clock
from gancli.system.seeds import seed_all
from tests.conftest import Cli
from tests.engine.test_cuda_graphs import CLOCKED, TOTAL
from tests.variants.small import feed, make, small_options

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode"),
    pytest.mark.parametrize("name", registry.names()),
]
PRECISIONS = ("fp32", "bf16")


def on_the_gpu(name: str) -> tuple[GAN[Any], Feed[Any]]:
    gan = make(name).cuda().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    data = feed(gan)
    return gan, Feed(data.dataset.to(gan.device), data.batch, data.seed, gan.device)


@pytest.fixture
def deterministic() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        torch.use_deterministic_algorithms(True, warn_only=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="(?i).*deterministic")
            yield
        torch.use_deterministic_algorithms(False)


def played(gan: GAN[Any], data: Feed[Any], play: Any, steps: int) -> list[dict[str, Tensor]]:
    logs = []
    for step in range(steps):
        seed_all("step", 0, step)
        gan.train()
        logs.append(play([data.at(step * data.batch)], Clock(step, step * data.batch, TOTAL)))
    return logs


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.usefixtures("deterministic")
def test_graphs_give_what_eager_steps_give(name: str, precision: str) -> None:
    gan, data = on_the_gpu(name)
    other, context = copy.deepcopy(gan), amp(precision, gan.device)
    graphs = Graphs(gan, gan.players(), context, Cuda(gan.device))
    found = played(gan, data, graphs, 12)
    players = other.players()
    for player in players.values():
        rates_on_device(player, gan.device)
    wanted = played(other, data, lambda parts, clock: play_step(other, players, parts, clock, context), 12)
    assert not graphs.why_not or CLOCKED.get(name, "nothing") in graphs.why_not
    for step, (log, expected) in enumerate(zip(found, wanted)):
        read = {key: float(value) for key, value in log.items()}
        assert read == pytest.approx({key: float(value) for key, value in expected.items()}, rel=1e-3, abs=1e-4), step


@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_step_waits_for_the_device(name: str, precision: str) -> None:
    """Where Python waits for a result, the device runs out of work."""
    gan, data = on_the_gpu(name)
    players, context = gan.players(), amp(precision, gan.device)

    def play(parts: Any, clock: Clock) -> dict[str, Tensor]:
        torch.cuda.set_sync_debug_mode("error" if clock.step > 5 else "default")  # the first steps fill caches
        try:
            return play_step(gan, players, parts, clock, context)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    for log in played(gan, data, play, 12):
        assert all(torch.isfinite(value) for value in log.values())


def test_no_batch_waits_for_the_device(name: str) -> None:
    _, data = on_the_gpu(name)
    data.at(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        data.at(data.batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_it_trains_resumes_and_is_sampled_on_a_cpu(name: str, cli: Cli, two_folders: Path) -> None:
    command = ("train", name, "--data", two_folders, *small_options(name), "--metrics", "none", "--out", "run")
    first = cli(*command, "--steps", 12)
    assert first.code == 0, first.err
    second = cli(*command, "--steps", 24, "--resume")
    assert second.code == 0, second.err
    assert "steps run eagerly" not in second.out + second.err or name in CLOCKED
    gan, picture = make(name), next((two_folders / "A").iterdir())
    served = ("sample", "run") if isinstance(gan, Samples) else ("translate", "run", picture)
    hole = ("--mask", "2,2,6,6") if isinstance(gan, Fills) else ()
    for device in ("cuda", "cpu"):
        done = cli(*served, *hole, "--device", device, "--out", f"{device}.png")
        assert done.code == 0, done.err
