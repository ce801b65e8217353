"""Determine the length of a run: the requested number of images, or as many as fit into --minutes.

Speed and memory are measured in a trial: a few steps on networks that are then discarded, so that it does not change
the run itself.
"""

import dataclasses
import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from gancli.checkpoints.run_folder import MOST_IMAGES, Measured
from gancli.data.feed import feed_for
from gancli.engine import timing
from gancli.engine.choose import amp, stepper
from gancli.engine.compile import LONG, Note
from gancli.engine.out_of_memory import HalveOnOutOfMemory
from gancli.engine.precision import Choice
from gancli.engine.step import check_game
from gancli.engine.timing import StepCost
from gancli.errors import UserError
from gancli.gan import Clock, Pace
from gancli.system import dist
from gancli.system.seeds import aside
from gancli.training.loop import Schedule, Training, Watchers
from gancli.training.monitor import monitored
from gancli.training.options import RunOptions, SetUp
from gancli.training.output.display import Quiet
from gancli.training.setup import Data
from gancli.training.state import State

LEAST = 50  # steps: the time of a shorter run is not measured
# the most steps and seconds of a trial for the training plan, on a CPU and on a GPU: there steps take milliseconds, but
# the first ones set up libraries and capture graphs
FEW, MANY = 5, 300
SHORT, LONGER = 1.0, 3.0
SHARE, ENOUGH = 0.05, 10.0  # the longest trial for --minutes: a share of them, and in seconds
MARGIN = 0.03  # share of --minutes for grids, checkpoints and means


@dataclass(frozen=True)
class Length:
    """The length of a run."""

    total: int  # real images to train on
    measured: Measured | None = None  # the result of --minutes
    cost: StepCost | None = None  # the cost of a step, if it was measured


@dataclass(frozen=True)
class SoFar:
    """The progress of a run when it was resumed."""

    images: int = 0
    seconds: float = 0.0


def asked(options: RunOptions, data: Data, kimg_given: bool, before: Measured | None) -> Length | None:
    """Return the length that the options set; None if --minutes must be measured.

    A resumed run (with `before`) keeps the number of images measured for its minutes, unless another length is given;
    otherwise its schedules would change. Raise UserError for two lengths, or for one that is too long.
    """
    rows, hp = len(data.dataset), data.hp
    lengths = {"steps": (options.steps, hp.batch), "epochs": (options.epochs, rows), "minutes": (options.minutes, 0)}
    given = [name for name, (amount, _) in lengths.items() if amount is not None]
    if len(given) > 1:
        said = ", ".join(f"--{name}" for name in given[:-1])
        raise UserError(f"{said} and --{given[-1]} each set the training length: give only one")
    if before and (options.minutes == before.minutes or not (given or kimg_given)):
        return Length(before.images, before)
    if options.minutes is not None:
        return None
    name = given[0] if given else "kimg"
    amount, images = lengths.get(name, (hp.kimg, 1000))
    total = (amount or 0) * images
    if not total <= MOST_IMAGES:
        raise UserError(f"--{name} {amount} is not allowed: at most {MOST_IMAGES / images:g}")
    return Length(round(total))


def settled(
    known: Length | None, data: Data, state: State, options: RunOptions, choice: Choice, so_far: SoFar
) -> Length:
    """Measure the length if it is unknown, and the cost of a step if the training plan shows it.

    If the returned length has a cost, measuring it has trained `state`, which must be rebuilt.
    """
    if known is None:
        return _in_minutes(options, data, state, choice, so_far)
    left = known.total - so_far.images
    if not (_worth_it(options, left / data.hp.batch) and left > 0):
        return known
    # without compiling: a trial is short
    training = _ready(data, state, dataclasses.replace(options, compile="off"), choice)
    most, seconds = (MANY, LONGER) if data.device.type == "cuda" else (FEW, SHORT)
    costs = _costs(training, known.total, data.device, most, seconds)
    return dataclasses.replace(known, cost=_mean(costs, state.gan.paces(so_far.images, known.total)))


def _worth_it(options: RunOptions, steps: float) -> bool:
    """Tell whether a trial is worth its time: a dry run always shows what a run costs."""
    if options.dry_run:
        return options.json or not options.quiet
    compiles = options.compile == "on"  # the trial and the run would each take minutes to compile
    return not (options.quiet or compiles or steps < LEAST)


def release() -> None:
    """Free the memory that a trial used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def trial(data: Data, state: State, options: SetUp, choice: Choice, note: Note) -> Training:
    """Build the loop of `gancli train`, which computes ticks but writes nothing."""
    feed = feed_for(data.dataset, data.hp.batch, options.seed, data.device)
    context = amp(choice.precision, data.device)
    play = stepper(state.gan, state.players, context, options.compile, options.graph, note)
    never, watchers = Schedule(save=math.inf, sample=math.inf, evaluate=math.inf), Watchers(Quiet())
    return Training(state, feed, play, never, watchers, accumulate=options.accumulate, seed=options.seed)


def _ready(data: Data, state: State, options: RunOptions, choice: Choice) -> Training:
    """Build a trial that prints nothing, because the run itself will."""
    check_game(state.gan, state.players)
    if data.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(data.device)
    training = trial(data, state, options, choice, _ignore)
    training.play = HalveOnOutOfMemory(training.play, _ignore)
    return training


def _costs(training: Training, total: int, device: torch.device, most: int, seconds: float) -> list[StepCost]:
    """Measure the cost of a step at each pace of the run."""
    state, costs = training.state, list[StepCost]()
    paces = state.gan.paces(0, total)
    for pace in paces:
        state.clock = Clock(state.clock.step, pace.images, total)
        costs.append(timing.step_cost(training.step, device, most, seconds / len(paces)))
    return costs


def _mean(costs: Sequence[StepCost], paces: Sequence[Pace]) -> StepCost:
    seconds = sum(cost.seconds * pace.share for cost, pace in zip(costs, paces))
    return StepCost(seconds, max(cost.memory for cost in costs))


def _ignore(_text: str) -> None:
    """Print nothing."""


# ------------------------------------------------------------------------------------------------- --minutes


def _in_minutes(options: RunOptions, data: Data, state: State, choice: Choice, so_far: SoFar) -> Length:
    """Measure how many images fit into the minutes, minus the time of previous training and of the trial."""
    began, minutes, batch = time.monotonic(), options.minutes or 0.0, data.hp.batch
    if options.compile == "auto":  # the run may compile after some steps, which is too late for a trial
        later = data.device.type == "cuda" and minutes * 60 > LONG
        options = dataclasses.replace(options, compile="on" if later else "off")
    training = _ready(data, state, options, choice)
    training.step()  # compiles, and allocates memory
    budget = min(ENOUGH, SHARE * minutes * 60)
    costs = _costs(training, max(round(data.hp.kimg * 1000), batch), data.device, MOST_IMAGES, budget)
    evaluation = _seconds_of_an_evaluation(training, options)
    left = minutes * 60 - so_far.seconds - (time.monotonic() - began)

    def cost(total: int) -> StepCost:
        return _mean(costs, state.gan.paces(so_far.images, total))

    def fits(total: int) -> bool:
        per_image, every = cost(total).seconds / batch, (options.eval_every or 0) * 1000
        return total <= so_far.images + affordable(left, per_image, evaluation, every)

    least = 0 if so_far.images or not minutes else batch
    steps = max(_largest(fits, so_far.images, MOST_IMAGES), least) // batch
    images: int = dist.gathered(max(steps * batch, so_far.images))[0]
    return Length(images, Measured(minutes, images), cost(images))


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return the largest number up to `high` that fits; `low` does, and so do all below one that does."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _seconds_of_an_evaluation(training: Training, options: RunOptions) -> float:
    if dist.rank() > 0:
        return 0.0
    evaluate = monitored(options.metrics, options.eval_every, training.state.gan, training.feed, _ignore)
    began = time.monotonic()
    if evaluate is not None:
        with aside("evaluate", options.seed):
            evaluate(training.state.ema.gan)
    return time.monotonic() - began


def affordable(seconds: float, per_image: float, evaluation: float, every: float) -> int:
    """Return how many images can be trained on in some seconds, at `per_image` seconds each.

    An evaluation takes `evaluation` seconds after every `every` images (0 means never), and once more at the end.
    """
    per_image += evaluation / every if every else 0.0
    return max(0, int((seconds * (1 - MARGIN) - evaluation) / per_image))
