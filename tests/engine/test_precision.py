"""The precision of a run: the faster one, as measured; kept; the same on all processes; and for all of a run's life."""

import copy
import itertools
import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from gancli.data.spec import DataSpec
from gancli.engine import flops, precision, rates
from gancli.engine.precision import MARGIN, choose, faster
from gancli.engine.rates import layers, measure
from gancli.gan import GAN
from gancli.system import cache, dist
from tests.conftest import Cli
from tests.variants.small import feed, make

QUICK = ("--batch", 4, "--width", 4, "--z-dim", 6, "--sample-every", 1000, "--metrics", "none")
Gan = Any


def part(gan: Gan) -> Any:
    return feed(gan).at(0)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "root", lambda: tmp_path / "cache")
    monkeypatch.setattr(precision, "has_bf16", lambda _: True)
    return tmp_path / "cache" / "precision"


@pytest.fixture
def measured(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """What is found, one after the other; the test fills it."""
    found: list[dict[str, float]] = []
    monkeypatch.setattr(rates, "measure", lambda *_: found.pop(0))
    return found


def chosen(gan: Gan, before: str | None = None, asked: str = "auto") -> str:
    return choose(asked, before, gan, gan.hp.batch, lambda _: part(gan)).precision


# ------------------------------------------------------------------------------------------------ measuring


class Clock:
    """Takes as long for a call as its precision does for its work."""

    def __init__(self, slowness: dict[str, float], noise: Any = lambda: 1.0) -> None:
        self.slowness, self.noise, self.calls = slowness, noise, []

    def __call__(self, call: Any) -> float:
        half = any(cell.cell_contents == "bf16" for cell in call.__closure__ if isinstance(cell.cell_contents, str))
        name = "bf16" if half else "fp32"
        self.calls.append(name)
        return self.slowness[name] * self.noise()


@given(fp32=st.floats(1e-3, 1), bf16=st.floats(1e-3, 1))
def test_the_faster_one_is_chosen_and_bf16_only_by_a_margin(fp32: float, bf16: float) -> None:
    assume(abs(fp32 / bf16 - MARGIN) > 1e-6)
    gan = make("dcgan")
    clock = Clock({"fp32": fp32, "bf16": bf16})
    found = measure(gan, layers(gan, part(gan)), clock)
    assert found["bf16"] / found["fp32"] == pytest.approx(fp32 / bf16)
    assert faster(found).precision == ("bf16" if fp32 / bf16 > MARGIN else "fp32")
    assert clock.calls[:4] == ["fp32", "bf16"] * 2  # in turns


@given(noise=st.lists(st.floats(1, 3), min_size=1))
def test_what_something_else_disturbs_does_not_count(noise: list[float]) -> None:
    gan = make("dcgan")
    kept = layers(gan, part(gan))[:2]
    disturbed = itertools.cycle([1.0] * 4 + noise)  # every layer gets its moment of peace
    seconds = Clock({"fp32": 0.002, "bf16": 0.001}, lambda: next(disturbed))
    found = measure(gan, kept, seconds)
    assert found["bf16"] / found["fp32"] == pytest.approx(2)


def test_a_busy_machine_does_not_hold_a_run_up() -> None:
    gan = make("dcgan")
    most = layers(gan, part(gan))
    clock = Clock({"fp32": 2.0, "bf16": 1.0})
    assert faster(measure(gan, most, clock)).precision == "bf16"
    assert len(clock.calls) == 2 * 2 * len(most)


def test_what_is_hopeless_is_tried_once() -> None:
    gan = make("dcgan")
    most = layers(gan, part(gan))
    clock = Clock({"fp32": 0.01, "bf16": 0.1})
    assert faster(measure(gan, most, clock)).precision == "fp32"
    assert len(clock.calls) == 2 * len(most)


@pytest.mark.parametrize("name", ["dcgan", "gan", "unit", "sngan"])
def test_work_is_counted_as_benchmarks_count_it(name: str) -> None:
    gan = make(name)
    for layer in layers(gan, part(gan)):
        module = copy.deepcopy(gan.get_submodule(layer.name)).to("meta")
        with flops.Counter() as counter:
            module(torch.empty(layer.shape, device="meta"))
        assert counter.total == pytest.approx(layer.work, rel=0.02)  # spectral norms take a few


def test_the_layers_with_the_most_work_are_those_of_the_step() -> None:
    gan = make("dcgan", DataSpec(3, 32, 32), batch=8, width=8)
    most = layers(gan, part(gan))
    assert len(most) == rates.MOST
    work = [layer.calls * layer.work for layer in most]
    assert work == sorted(work, reverse=True)
    for layer in most:
        module: Any = gan.get_submodule(layer.name)
        seen: list[Any] = []
        with module.register_forward_hook(lambda _, given, __, seen=seen: seen.append(given[0].shape)):
            for _ in gan.play(feed(gan).at(0), SimpleNamespace(every=lambda _: True, progress=0.0)):  # type: ignore[arg-type]
                pass
        assert layer.shape in [tuple(shape) for shape in seen]


def test_measuring_leaves_the_run_as_it_was() -> None:
    gan = make("sngan")
    state = {name: tensor.clone() for name, tensor in gan.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    choose("auto", None, gan, gan.hp.batch, lambda _: part(gan))
    assert torch.equal(torch.rand(4), expected)
    assert all(torch.equal(tensor, state[name]) for name, tensor in gan.state_dict().items())
    assert all(p.grad is None for p in gan.parameters())


def test_real_times_are_rates_of_the_right_size() -> None:
    gan = make("gan")
    found = measure(gan, layers(gan, part(gan)))
    assert all(1e3 < rate < 1e14 for rate in found.values())


# ------------------------------------------------------------------------------------------- what is kept of it

FAST, SLOW = {"fp32": 1e9, "bf16": 2e9}, {"fp32": 2e9, "bf16": 1e9}


def test_it_is_measured_once_for_each_machine_and_shape(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured += [FAST, SLOW, SLOW, SLOW]
    assert [chosen(make("gan")) for _ in range(3)] == ["bf16"] * 3
    assert len(measured) == 3
    assert chosen(make("gan", width=8)) == "fp32"  # another shape
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "ANOTHER")  # as good as another machine
    assert chosen(make("gan")) == "fp32"
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert chosen(make("gan")) == "fp32"
    assert not measured


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", "{}", '{"fp32": 1}', '{"fp32": "x", "bf16": 1}', '{"fp32": [], "bf16": {}}',
     '{"fp32": NaN, "bf16": 1}', '{"fp32": 1, "bf16": Infinity}', '{"fp32": -1, "bf16": 1}', '{"fp32": 0, "bf16": 1}',
     '{"fp32": 1' + "0" * 400 + ', "bf16": 1}', "[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
def test_damaged_figures_are_measured_again(
    measured: list[dict[str, float]], empty_cache: Path, text: str | bytes
) -> None:
    measured += [FAST, FAST]
    chosen(make("gan"))
    (file,) = empty_cache.iterdir()
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert chosen(make("gan")) == "bf16"
    assert not measured
    assert json.loads(file.read_text()) == FAST


def test_a_pipe_in_place_of_figures_blocks_nothing(measured: list[dict[str, float]], empty_cache: Path) -> None:
    measured += [FAST, FAST]
    chosen(make("gan"))
    (file,) = empty_cache.iterdir()
    file.unlink()
    os.mkfifo(file)
    assert chosen(make("gan")) == "bf16"


def test_a_cache_that_cannot_be_written_is_no_obstacle(measured: list[dict[str, float]], empty_cache: Path) -> None:
    measured += [FAST, FAST]
    empty_cache.parent.mkdir()
    empty_cache.write_text("a file where the folder should be")
    assert [chosen(make("gan")) for _ in range(2)] == ["bf16"] * 2
    assert stat.S_ISREG(empty_cache.stat().st_mode)


def test_a_gan_without_layers_or_without_a_step_computes_in_fp32(empty_cache: Path) -> None:
    gan = make("gan")
    gan.play = GAN.play.__get__(gan)  # of the base: not implemented
    assert layers(gan, part(gan)) == []
    choice = choose("auto", None, gan, gan.hp.batch, lambda _: part(gan))
    assert str(choice) == "fp32: no layers to measure"
    assert not empty_cache.exists()


# --------------------------------------------------------------------------------------------- who is asked first


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
@pytest.mark.parametrize("before", [None, "fp32", "bf16"])
def test_what_is_asked_for_is_taken(measured: list[dict[str, float]], asked: str, before: str | None) -> None:
    assert chosen(make("gan"), before, asked) == asked


def test_a_run_keeps_its_precision_whatever_is_measured(measured: list[dict[str, float]]) -> None:
    assert [chosen(make("gan"), name) for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    measured += [FAST]
    assert chosen(make("gan"), "nonsense") == "bf16"


def test_all_processes_take_what_the_first_does(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dist, "rank", lambda: 1)
    monkeypatch.setattr(dist, "gathered", lambda own: [faster(FAST), own])
    assert chosen(make("gan"), "fp32") == "bf16"


def test_without_kernels_for_bf16_nothing_is_measured(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda _: False)
    assert chosen(make("gan")) == "fp32"


def test_a_step_that_looks_at_values_is_measured_too(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = make("gan")
    plain = type(gan).play

    def play(self: Gan, batch: Any, clock: Any) -> Any:
        assert batch.image.sum().item() is not None
        return plain(self, batch, clock)

    monkeypatch.setattr(type(gan), "play", play)
    assert "measured" in choose("auto", None, gan, gan.hp.batch, lambda _: part(gan)).why


# ------------------------------------------------------------------------------------------------- the commands


def test_the_plan_says_what_was_measured_and_a_resumed_run_keeps_it(
    cli: Cli, pictures: Path, measured: list[dict[str, float]]
) -> None:
    command = ("train", "gan", "--data", pictures, *QUICK, "--out", "x")
    measured += [{"fp32": 170e9, "bf16": 347e9}, {"fp32": 1.5e9, "bf16": 1.2e9}]
    dry = cli(*command, "--steps", 2, "--dry-run")
    assert "precision bf16: measured 347 GFLOP/s, fp32 170\n" in dry.out
    assert cli(*command, "--steps", 2).out.splitlines()[4:6] == dry.out.splitlines()[4:6]
    assert json.loads(Path("x/run.json").read_text())["precision"] == "bf16"
    for file in (cache.root() / "precision").iterdir():
        file.unlink()
    again = cli(*command, "--steps", 4, "--resume")
    assert again.code == 0, again.err
    assert "precision bf16: as in the resumed run\n" in again.out
    assert json.loads(Path("x/run.json").read_text())["precision"] == "bf16"
    assert len(measured) == 1
    other = cli("train", "gan", "--data", pictures, *QUICK, "--out", "y", "--steps", 1)
    assert "precision fp32: measured 1.5 GFLOP/s, bf16 1.2\n" in other.out


def test_a_benchmark_says_it_too(cli: Cli, measured: list[dict[str, float]]) -> None:
    measured += [FAST]
    result = cli("bench", "gan", "--width", 4, "--seconds", 0.01, "--windows", 1, "--json")
    report = json.loads(result.out)
    assert (report["precision"], report["chosen"]) == ("bf16", "measured 2 GFLOP/s, fp32 1")
