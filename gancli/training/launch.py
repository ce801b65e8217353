"""Start a training run from the command line's options, and return its exit code."""

import dataclasses
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from gancli.checkpoints import checkpoint
from gancli.checkpoints.trust import source_hash, trust
from gancli.data.dataset import Dataset
from gancli.data.feed import feed_for
from gancli.engine.choose import amp, stepper
from gancli.engine.out_of_memory import HalveOnOutOfMemory
from gancli.engine.precision import Choice
from gancli.engine.step import slow_down
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.metrics import table
from gancli.system import atomic, dist
from gancli.system.processes.process import tuned
from gancli.system.processes.signals import stoppable
from gancli.system.processes.spread import spread_over
from gancli.system.versions import versions
from gancli.training import resuming
from gancli.training.batch_size import with_batch
from gancli.training.diagnostics import DominanceCheck, warn_if_alike
from gancli.training.display import Quiet, display_for
from gancli.training.loop import Rhythm, Training
from gancli.training.monitor import monitored
from gancli.training.options import RunOptions
from gancli.training.saving import Saves
from gancli.training.setup import build_training, choose_precision, fresh, open_data
from gancli.training.summary import finish, tell_plan

MOST_IMAGES = 2**53  # in a run: the largest count that JSON numbers hold exactly


def launch(variant: str, values: dict[str, Any], options: RunOptions) -> int:
    """Train a variant with the given hyperparameters and return the exit code. Raise UserError for bad input."""
    if options.gpus:
        spread_over(options.gpus)
    with dist.joined(), tuned():
        display = display_for(quiet=options.quiet or dist.rank() > 0, json=options.json)
        with ExitStack() as holding:
            holding.callback(display.close)
            return _launch(variant, values, options, display, holding)


def _launch(variant: str, values: dict[str, Any], options: RunOptions, display: Quiet, holding: ExitStack) -> int:
    trust(variant)
    data = open_data(variant, values, options, display.decoded)
    dataset = data.dataset
    folder = holding.enter_context(resuming.held(variant, dataset.name, options))
    before = folder.read_about()
    data = with_batch(data, options, before and before.hparams)
    hp = data.hp
    total = _total_images(options, hp.kimg, hp.batch, len(dataset))

    gan, players, ema = build_training(data, options.seed)
    clock = Clock(0, 0, total)
    choice = choose_precision(gan, data, options, before and before.precision)
    about = _about(variant, gan, dataset, options, data.device, choice)
    about["suited"] = data.suited
    newest = resuming.resumed(folder) if options.resume else None
    if options.resume:
        resuming.check_unchanged(folder, about)
    tell_plan(display, about, choice, gan, dataset, clock, folder, newest)
    if options.dry_run:
        return 0
    slower = 1.0
    if newest:
        clock = dataclasses.replace(checkpoint.restore(newest, gan, players, ema), total=total)
        slower = checkpoint.describe(newest).slower
        slow_down(players, slower)

    def describe(clock: Clock, metrics: dict[str, float]) -> checkpoint.About:
        return checkpoint.About(
            variant=variant,
            hparams=about["hparams"],
            data=dataclasses.asdict(dataset.spec),
            clock=dataclasses.asdict(clock),
            run={"data": dataset.name, **{k: about[k] for k in ("seed", "precision", "digest")}, **about["versions"]},
            metrics=metrics,
            source=about["source"],
        )

    feed = feed_for(dataset, hp.batch, options.seed, data.device)
    saves = Saves(folder, options.keep, lambda: atomic.write_json(folder.about, about), display.note)
    play = HalveOnOutOfMemory(
        stepper(gan, players, amp(about["precision"], data.device), options.compile, options.graph, display.note),
        display.note,
    )
    training = Training(
        gan, players, ema, feed, clock, saves, folder, display, describe, play,
        rhythm=Rhythm(*(k and k * 1000 for k in (options.save_every, options.sample_every, options.eval_every))),
        evaluate=monitored(options.metrics, options.eval_every, feed, display.note) if dist.rank() == 0 else None,
        watch=lambda averaged: warn_if_alike(averaged, feed, display.note),
        selection_score=table.selection_score,
        winner=DominanceCheck(display.note),
        accumulate=options.accumulate,
        seed=options.seed,
        go_back=lambda: resuming.go_back(folder, total, gan, lambda: fresh(data, options.seed), players, ema),
        slower=slower,
        seconds=next((tick["seconds"] for tick in reversed(folder.ticks())), 0.0),
    )  # fmt: skip
    with stoppable() as stop, display:
        if dist.rank() == 0:
            saves.begin(clock.step)
            resuming.set_aside_newer(folder, newest, display.note)
        training.stop, training.interruptible = stop, stop.interruptible
        training.train()
    return finish(training, stop, options, display)


# -------------------------------------------------------------------------------------------- the choices


def _total_images(options: RunOptions, kimg: float, batch: int, rows: int) -> int:
    if options.steps is not None and options.epochs is not None:
        raise UserError("--steps and --epochs both set the training length: give only one")
    asked = {"steps": (options.steps, batch), "epochs": (options.epochs, rows), "kimg": (kimg, 1000)}
    name, (amount, images) = next((name, asked[name]) for name in asked if asked[name][0] is not None)
    total = (amount or 0) * images
    if not total <= MOST_IMAGES:
        raise UserError(f"--{name} {amount} is not allowed: at most {MOST_IMAGES / images:g}")
    return round(total)


def _about(
    variant: str, gan: GAN[Any], dataset: Dataset[Any], options: RunOptions, device: torch.device, choice: Choice
) -> dict[str, Any]:
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    return {
        "variant": variant,
        "hparams": dataclasses.asdict(gan.hp),
        "data": options.data or gan.builtin,
        "digest": dataset.digest,
        "spec": dataclasses.asdict(dataset.spec),
        "seed": options.seed,
        "device": str(device),
        "precision": choice.precision,
        "processes": dist.world(),
        "source": source_hash(variant),
        "versions": versions(),
        "options": given,
        "folder": str(Path.cwd()),  # that relative paths start from
    }
