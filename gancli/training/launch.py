"""Start a training run from the command line's options, and return its exit code."""

import dataclasses
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from gancli.checkpoints import checkpoint, fine_tuning
from gancli.checkpoints.fine_tuning import Start
from gancli.checkpoints.run_folder import Folder, seen
from gancli.checkpoints.trust import source_hash, trust
from gancli.data.feed import feed_for
from gancli.engine.choose import amp, stepper
from gancli.engine.out_of_memory import HalveOnOutOfMemory
from gancli.engine.precision import Choice
from gancli.engine.step import apart_in_parts, check_game, slow_down
from gancli.gan import GAN, Clock
from gancli.images.sheets import View
from gancli.system import dist
from gancli.system.devices import machine
from gancli.system.processes.process import tuned
from gancli.system.processes.signals import Interrupted, Stop, stoppable
from gancli.system.processes.spread import spread_over
from gancli.system.untrusted.terminal import say_json
from gancli.system.versions import versions
from gancli.training import length, resuming
from gancli.training.batch_size import with_batch
from gancli.training.diagnostics import DominanceCheck, warn_if_alike
from gancli.training.loggers import table
from gancli.training.loggers.logger import Loggers
from gancli.training.loop import Schedule, Training, Watchers
from gancli.training.monitor import monitored
from gancli.training.options import RunOptions
from gancli.training.output import next_steps
from gancli.training.output.display import Quiet
from gancli.training.output.kept import KeepsWarnings
from gancli.training.output.live import display_for
from gancli.training.output.plan import Plan
from gancli.training.output.summary import finish
from gancli.training.recorder import Grids, RunRecorder
from gancli.training.setup import Data, build_training, choose_precision, fresh, open_data, with_preset
from gancli.training.state import State


def launch(variant: str, values: dict[str, Any], options: RunOptions) -> int:
    """Train a variant with the given hyperparameters and return the exit code. Raise UserError for bad input."""
    table.check(options.log or ())
    if options.gpus:
        spread_over(options.gpus)
    with dist.joined(), tuned():
        display = display_for(quiet=options.quiet or dist.rank() > 0, json=options.json)
        with ExitStack() as holding:
            holding.callback(display.close)
            return _launch(variant, values, options, display, holding)


def _launch(variant: str, values: dict[str, Any], options: RunOptions, display: Quiet, holding: ExitStack) -> int:
    trust(variant)
    data = open_data(variant, values, options, display.decoded, resuming.start_of(variant, options))
    folder = holding.enter_context(resuming.held(variant, data.dataset.name, options))
    before = folder.read_about()
    if before:
        data = with_preset(data, values, before)
    data = dataclasses.replace(data, start=resuming.start_again(folder, before, variant, options))
    data = with_batch(data, options, before and before.hparams)
    known = length.asked(options, data, "kimg" in values, before and before.measured)
    state = build_training(data, options.seed, length.MOST_IMAGES)
    choice = choose_precision(state.gan, data, options, before and before.precision)
    state = _rehearsed(variant, known, data, state, options, choice)
    about = _about(variant, data, options, choice)
    newest = resuming.resumed(folder) if options.resume else None
    if options.resume:
        resuming.check_unchanged(folder, about)
    so_far = length.SoFar((newest and seen(newest)) or 0, folder.seconds())
    found = length.settled(known, data, state, options, choice, so_far)
    if found.cost:
        del state  # the trial has trained it, and two states might not fit into memory
        length.release()
        state = build_training(data, options.seed, found.total)
    state.clock, state.seconds = Clock(0, 0, found.total), so_far.seconds
    about |= {"measured": dataclasses.asdict(found.measured)} if found.measured else {}
    plan = Plan(about, choice, state, data.dataset, folder, newest, found, data.start)
    plan.tell(display)
    if options.dry_run:
        if options.json and dist.rank() == 0:
            say_json(plan.to_json())
        return 0
    if newest:
        _restore(newest, state, folder, display)
    with stoppable() as stop, display:
        watched = KeepsWarnings(display, folder) if dist.rank() == 0 else display
        training = _training(data, state, options, choice, watched, stop)
        training.go_back = lambda: _go_back(folder, data, state, options)
        if dist.rank() == 0:
            grids = Grids(state.ema.gan, training.feed, options.seed, View(options.scale, options.captions))
            loggers = Loggers(table.made(options.log or (), folder.path, about), watched.note)
            training.recorder = RunRecorder(
                folder, about, data.dataset.name, grids, options.keep, newest, watched.note, loggers
            )
        training.train()
    return finish(training, folder, options, display, next_steps.resume(variant, values, options, folder.path))


def _go_back(folder: Folder, data: Data, state: State, options: RunOptions) -> None:
    """Return to the newest checkpoint, or to the start of the run."""

    def begin() -> GAN[Any]:
        return fresh(dataclasses.replace(data, start=start()), options.seed)

    def start() -> Start | None:
        return data.start and fine_tuning.again(data.start.said, data.start.frozen)

    resuming.go_back(folder, state, begin)
    if state.clock.step == 0 and (known := start()):
        fine_tuning.begin_average(known, state.ema)


def _rehearsed(
    variant: str, known: length.Length | None, data: Data, state: State, options: RunOptions, choice: Choice
) -> State:
    """Train a user's own variant for one step and generate images: its errors are found before anything is written.

    Return the state to train, which has not moved.
    """
    if not variant.endswith(".py") or (known and known.total == 0):  # without a step, it may lack `play`
        return state
    check_game(state.gan, state.players)
    training = length.trial(data, state, dataclasses.replace(options, compile="off"), choice, lambda _: None)
    training.step()
    Grids(state.gan.eval(), training.feed, options.seed).samples()
    return build_training(data, options.seed, length.MOST_IMAGES)


def _restore(newest: Path, state: State, folder: Folder, display: Quiet) -> None:
    """Continue from a checkpoint, with its learning rates, and show the values up to it."""
    resuming.restore(newest, state)
    state.slower = checkpoint.describe(newest).slower
    slow_down(state.players, state.slower)
    for tick in folder.ticks():
        if tick["step"] <= state.clock.step:
            display.tick(tick)


def _training(data: Data, state: State, options: RunOptions, choice: Choice, display: Quiet, stop: Stop) -> Training:
    """Build a run, except for its recorder."""
    feed = feed_for(data.dataset, data.hp.batch, options.seed, data.device)
    play = stepper(
        state.gan, state.players, amp(choice.precision, data.device), options.compile, options.graph, display.note
    )
    watchers = Watchers(display)
    if dist.rank() == 0:
        evaluate = None
        with suppress(Interrupted), stop.interruptible():  # it may train a network, which a signal ends
            evaluate = monitored(options.metrics, options.eval_every, state.gan, feed, display.note, display.working)
        watchers = Watchers(
            display,
            evaluate=evaluate,
            look=lambda averaged: warn_if_alike(averaged, feed, display.note),
            means=DominanceCheck(display.note).tick,
        )
    return Training(
        state,
        feed,
        HalveOnOutOfMemory(play, display.note, apart_in_parts(state.gan), state.gan.least_batch),
        Schedule(*(kimg and kimg * 1000 for kimg in (options.save_every, options.sample_every, options.eval_every))),
        watchers,
        accumulate=options.accumulate,
        seed=options.seed,
        stop=stop,
    )


def _about(variant: str, data: Data, options: RunOptions, choice: Choice) -> dict[str, Any]:
    """Return the content of run.json."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    return {
        "variant": variant,
        "hparams": dataclasses.asdict(data.hp),
        "data": options.data or data.kind.builtin,
        "digest": data.dataset.digest,
        "spec": dataclasses.asdict(data.dataset.spec),
        "seed": options.seed,
        "device": str(data.device),
        "machine": machine(data.device),
        "precision": choice.precision,
        "processes": dist.world(),
        "source": source_hash(variant),
        "versions": versions(),
        "options": given,
        "folder": str(Path.cwd()),  # relative paths start from it
        "suited": data.suited,
        "start": data.start and dataclasses.asdict(data.start.said),
        "freeze_d": data.start.frozen if data.start else 0,
    }
