"""`gancli bench`: what it counts is right, and other programs are timed fairly."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from gancli.benchmark.benchmark import in_turns, prepared
from gancli.data.spec import DataSpec
from gancli.engine import flops
from gancli.engine.timing import Window
from gancli.training.batch_size import with_batch
from gancli.training.options import BenchOptions
from gancli.training.setup import open_data
from tests.conftest import Cli
from tests.variants.small import feed, make

HERE = Path(__file__).parents[1] / "dev" / "bench"
QUICK = ("--seconds", 0.05, "--windows", 2)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> object:
    """Import one of the plain programs, as `--against` does."""
    monkeypatch.syspath_prepend(str(HERE))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for path in HERE.glob("plain_*.py"):
        sys.modules.pop(path.stem, None)


def counts(*networks: Any) -> list[int]:
    return [sum(p.numel() for p in network.parameters()) for network in networks]


def test_the_report_says_all_and_compares(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(
        "import time\n"
        "def slow(task):\n"
        "    assert (task.batch, task.channels, task.height) == (64, 1, 8)\n"
        "    while True:\n"
        "        time.sleep(0.1)\n"
        "        yield\n"
    )
    result = cli("bench", "gan", *QUICK, "--against", f"{other}:slow", "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    speed = report["images_per_second"]
    assert speed["min"] <= speed["median"] <= speed["max"]
    assert len(speed["windows"]) == 2
    assert report["ms_per_step"] == pytest.approx(64_000 / speed["median"], rel=0.01)
    assert 0 < report["share_of_peak"] < 1.5
    assert 0 <= report["data_wait"] < 0.5
    stages = dict(report["seconds_to_first_step"])
    assert stages.pop("all") == pytest.approx(sum(stages.values()), abs=0.01)
    slow = report["against"][f"{other}:slow"]
    assert slow["images_per_second"]["median"] == pytest.approx(64 / 0.1, rel=0.2)
    assert slow["ratio"] == pytest.approx(speed["median"] / slow["images_per_second"]["median"], rel=0.01)


@pytest.mark.parametrize(
    ("text", "said"), [("def steps(task):\n    1 / 0\n    yield\n", "failed: see its error above"), (None, "no file")]
)
def test_a_program_that_breaks_is_named(cli: Cli, tmp_path: Path, text: str | None, said: str) -> None:
    other = tmp_path / "other.py"
    if text:
        other.write_text(text)
    result = cli("bench", "gan", *QUICK, "--against", other)
    assert result.code == 2
    last = result.err.splitlines()[-1]
    assert str(other) in last
    assert said in last


def test_a_missing_program_is_named_before_the_data_are_opened(cli: Cli) -> None:
    result = cli("bench", "gan", "--data", "nowhere", "--against", "nothing.py")
    assert result.code == 2
    assert result.err == "gancli: --against nothing.py: no file nothing.py; give FILE.py or FILE.py:function\n"


def test_windows_take_turns() -> None:
    order: list[str] = []

    def run(name: str) -> Window:
        order.append(name)
        return Window(1, 1.0, 1.0, 0)

    runs = {name: lambda _, name=name: run(name) for name in ("a", "b")}
    timed = in_turns(runs, BenchOptions(windows=3), lambda _: None)
    assert order == ["a", "b"] * 4
    assert {name: len(windows) for name, windows in timed.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize(("variant", "data"), [("gan", "shapes-easy"), ("gan", "ring8")])
def test_a_timed_run_passes_its_ticks(variant: str, data: str) -> None:
    """A tick comes after 500 steps, which only fast machines and variants reach in a window."""
    options = BenchOptions(data=data, device="cpu", precision="fp32")
    opened = with_batch(open_data(variant, {"batch": 2}, options, lambda *_: None), options)
    training, _ = prepared(opened, options, lambda _: None)
    training.state.clock = dataclasses.replace(training.state.clock, step=499, images=998)
    training.advance()
    assert training.state.seconds > 0  # which a tick counts


def test_operations_are_counted_forward_backward_and_through_a_penalty() -> None:
    layer = nn.Conv2d(4, 8, 3, padding=1, groups=2, bias=False).to("meta")
    x = torch.empty(2, 4, 6, 6, device="meta", requires_grad=True)
    forward = 2 * 2 * 8 * 6 * 6 * (4 // 2) * 3 * 3  # two operations a product; 2 images, 8 channels out
    with flops.Counter() as counter:
        out = layer(x)
    assert counter.total == forward
    with flops.Counter() as counter:
        out.sum().backward()
    assert counter.total == 2 * forward  # one for x, one for the weight, groups or not
    with flops.Counter() as counter:
        (slope,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
        slope.square().sum().backward(inputs=list(layer.parameters()))
    assert counter.total == 4 * forward  # D, its slope, and both gradients of the slope, of which torch skips none


def test_players_that_do_not_always_move_count_by_their_share() -> None:
    def work(n_critic: int) -> float:
        gan = make("wgan-gp", n_critic=n_critic)
        return flops.of_a_step(gan, gan.players(), feed(gan).at(0))

    every, fourth = work(1), work(4)
    assert every - (every - fourth) / 0.75 == pytest.approx(work(10**6), rel=1e-6)


def test_the_plain_programs_have_the_same_networks(plain) -> None:
    dcgan = make("dcgan", DataSpec(3, 64, 64), width=64, z_dim=100)
    assert counts(*plain("plain_dcgan").networks()) == counts(dcgan.G, dcgan.D) == [3_576_704, 2_765_633]
    wgan = make("wgan-gp", DataSpec(3, 32, 32), width=64, z_dim=100)
    assert counts(*plain("plain_wgan_gp").networks()) == counts(wgan.G, wgan.D)
    size = {"width": 64, "channel_base": 2048, "z_dim": 64, "w_dim": 64}
    stylegan2 = make("stylegan2", DataSpec(3, 64, 64), labels=False, **size)
    assert counts(*plain("plain_stylegan2").networks()) == counts(stylegan2.G, stylegan2.D)
    r3gan = make("r3gan", DataSpec(3, 64, 64), width=96, z_dim=64, labels=False)
    assert counts(*plain("plain_r3gan").networks()) == counts(r3gan.G, r3gan.D)
    cyclegan = make("cyclegan", DataSpec(3, 128, 128), width=64, blocks=6)
    ours = counts(cyclegan.AB, cyclegan.BA, cyclegan.DA, cyclegan.DB)
    assert counts(*plain("plain_cyclegan").networks()) == ours
    mlp = make("gan", DataSpec(1, 28, 28), width=256, z_dim=100, depth=3)
    assert counts(*plain("plain_mlp").networks()) == counts(mlp.G, mlp.D)
