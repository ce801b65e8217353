"""Measure a variant's training speed, relative to the machine's peak and, in alternation, to other programs."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from statistics import median
from typing import Any

import torch

from gancli.benchmark import rival
from gancli.benchmark.rival import Rival, Task
from gancli.data.feed import Feed
from gancli.engine import flops
from gancli.engine.choose import amp
from gancli.engine.precision import Choice
from gancli.engine.step import Amp, parameters
from gancli.engine.timing import Window, window
from gancli.gan import Clock
from gancli.system.devices import wait_for
from gancli.system.processes.process import tuned
from gancli.system.versions import versions
from gancli.training.batch_size import with_batch
from gancli.training.length import trial
from gancli.training.loop import Training
from gancli.training.options import BenchOptions
from gancli.training.output.display import Quiet
from gancli.training.setup import Data, build_training, choose_precision, open_data

WARM_UP, OF_GRAPHS = 3, 80  # steps before anything is timed; on a GPU even the rarest kind becomes a graph meanwhile

Runs = Mapping[str, Callable[[float], Window]]  # each function trains for some seconds


def bench(
    variant: str, values: Mapping[str, Any], options: BenchOptions, began: float, display: Quiet
) -> dict[str, Any]:
    """Time a variant's training and return the report; `began` is the program's start on the monotonic clock."""
    for given in options.against or ():
        rival.check(given)  # before minutes of work
    with tuned(), ExitStack() as stack:
        marks = {"imports": time.monotonic()}
        data = with_batch(open_data(variant, values, options, display.decoded), options)
        marks["data"] = time.monotonic()
        training, choice = prepared(data, options, display.note)
        context = amp(choice.precision, data.device)
        marks["networks"] = time.monotonic()
        training.step()
        wait_for(data.device)
        marks["first_step"] = time.monotonic()
        report = _about(variant, training, data, choice) | {"seconds_to_first_step": _stages(began, marks)}
        rounds = f"{options.windows} round{'s' * (options.windows > 1)}"
        display.note(f"{variant}: first step after {report['seconds_to_first_step']['all']} s; timing {rounds}")

        task = _task(data, options, data.kind.builtin)
        others = {given: stack.enter_context(Rival(given, task)) for given in options.against or ()}
        feed: Any = WatchedFeed(training.feed)
        training.feed = feed
        ours: Runs = {"loop": in_windows(training.advance, data), "bare": in_windows(_bare(training, context), data)}
        timed = in_turns(ours | {name: other.window for name, other in others.items()}, options, display.note)
        return report | _results(training, feed, timed, context)


def in_turns(runs: Runs, options: BenchOptions, note: Callable[[str], None]) -> dict[str, list[Window]]:
    """Time the runs in alternating windows, after one uncounted window each to warm up."""
    for run in runs.values():
        run(min(options.seconds, 1.0))
    timed: dict[str, list[Window]] = {name: [] for name in runs}
    for i in range(options.windows):
        for name, run in runs.items():
            timed[name].append(run(options.seconds))
        said = ", ".join(f"{name} {1000 * w[-1].seconds / w[-1].steps:,.1f}" for name, w in timed.items())
        note(f"round {i + 1}: {said} ms per step")
    return timed


# -------------------------------------------------------------------------------------------------- timing


class WatchedFeed:
    """A feed that measures how long the loop waits for batches."""

    def __init__(self, feed: Feed[Any]) -> None:
        self._feed, self.batch, self.device, self.seconds = feed, feed.batch, feed.device, 0.0

    def at(self, images: int) -> Any:
        """Return the batch, and add the time that took."""
        began = time.perf_counter()
        batch = self._feed.at(images)
        self.seconds += time.perf_counter() - began
        return batch


def prepared(data: Data, options: BenchOptions, note: Callable[[str], None]) -> tuple[Training, Choice]:
    """Build the loop of `gancli train`, which computes ticks but writes nothing; return it and its precision."""
    state = build_training(data, options.seed, total=10**12)
    state.clock = dataclasses.replace(state.clock, images=state.gan.paces(0, 10**12)[-1].images)
    choice = choose_precision(state.gan, data, options)
    return trial(data, state, options, choice, note), choice


def _bare(training: Training, context: Amp) -> Callable[[], None]:
    """Return a minimal step, always on one batch: forward, backward, optimiser and what follows it, of every turn."""
    gan, players, batch = training.state.gan, training.state.players, training.feed.at(0)
    count, begin = 0, training.state.clock.images

    def step() -> None:
        nonlocal count
        game = gan.play(batch, Clock(count, begin + count * len(batch), 10**12))
        while True:
            with context():
                turn = next(game, None)
            if turn is None:
                break
            player = players[turn.player]
            player.zero_grad(set_to_none=True)
            torch.stack([term.float() for term in turn.terms.values()]).sum().backward(inputs=parameters(player))
            player.step()
            gan.moved(turn.player, {name: value.detach() for name, value in (turn.terms | turn.stats).items()})
        count += 1

    return step


def in_windows(step: Callable[[], object], data: Data) -> Callable[[float], Window]:
    """Warm up a step, and return a function that repeats it for some seconds."""
    for _ in range(OF_GRAPHS if data.device.type == "cuda" else WARM_UP):
        step()
    return lambda seconds: window(step, seconds, data.device)


def _task(data: Data, options: BenchOptions, builtin: str) -> Task:
    spec = data.dataset.spec
    return Task(
        options.data or builtin, data.hp.batch, spec.channels, spec.height, spec.width, str(data.device), options.data_b
    )


# --------------------------------------------------------------------------------------------------- report


def _about(variant: str, training: Training, data: Data, choice: Choice) -> dict[str, Any]:
    gan = training.state.gan
    return {
        "variant": variant,
        "hparams": dataclasses.asdict(data.hp),
        "data": {"name": data.dataset.name, "images": len(data.dataset), **dataclasses.asdict(data.dataset.spec)},
        "parameters": {name: sum(p.numel() for p in net.parameters()) for name, net in gan.named_children()},
        "device": _device_name(data.device),
        "threads": torch.get_num_threads(),
        "precision": choice.precision,
        "chosen": choice.why,
        "versions": versions(),
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device}, {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else str(device)


def _stages(began: float, marks: Mapping[str, float]) -> dict[str, float]:
    """Return how long each stage took, and the total."""
    took = zip(marks, (now - before for before, now in zip((began, *marks.values()), marks.values())))
    return {name: round(seconds, 3) for name, seconds in took} | {"all": round(marks["first_step"] - began, 3)}


def _results(training: Training, feed: WatchedFeed, timed: Mapping[str, list[Window]], context: Amp) -> dict[str, Any]:
    ours, bare = _speed(timed["loop"], feed.batch), _speed(timed["bare"], feed.batch)
    work = flops.of_a_step(training.state.gan, training.state.players, training.feed.at(0))
    peaks = flops.peaks(feed.device, context)
    rate = work * ours["images_per_second"]["median"] / feed.batch
    # operations per second if no other program had used the CPU
    alone = work / ours["cpu_ms_per_step"] * 1000 * torch.get_num_threads()
    others = {name: _speed(windows, feed.batch) for name, windows in timed.items() if name not in ("loop", "bare")}
    for speed in others.values():
        speed["ratio"] = round(ours["images_per_second"]["median"] / speed["images_per_second"]["median"], 3)
        speed["cpu_ratio"] = round(speed["cpu_ms_per_step"] / ours["cpu_ms_per_step"], 3)
    return ours | {
        "overhead": round(1 - ours["images_per_second"]["median"] / bare["images_per_second"]["median"], 4),
        "cpu_overhead": round(1 - bare["cpu_ms_per_step"] / ours["cpu_ms_per_step"], 4),
        "data_wait": round(feed.seconds / sum(w.seconds for w in timed["loop"]), 5),
        "gflop_per_step": round(work / 1e9, 3),
        "gflop_per_second": round(rate / 1e9, 2),
        "peak_gflop_per_second": {name: round(peak / 1e9, 2) for name, peak in peaks.items()},
        "share_of_peak": round(rate / max(peaks.values()), 4),
        "cpu_share_of_peak": round(alone / max(peaks.values()), 4),
        "against": others,
    }


def _speed(windows: list[Window], batch: int) -> dict[str, Any]:
    rates = [round(batch * w.steps / w.seconds, 2) for w in windows]
    return {
        "images_per_second": {"median": median(rates), "min": min(rates), "max": max(rates), "windows": rates},
        "ms_per_step": round(1000 * batch / median(rates), 3),
        "cpu_ms_per_step": round(1000 * median([w.cpu / w.steps for w in windows]), 3),
        "peak_memory_mib": round(max(w.memory for w in windows) / 2**20),
    }
