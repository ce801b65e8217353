"""From the options of the command line to a run, and from a run to its exit code."""

import dataclasses
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from gancli import atomic, checkpoint, dist, models, plots, resuming
from gancli.advice import Winner, warn_if_alike
from gancli.data.ahead import feed_for
from gancli.data.feed import Dataset
from gancli.display import Quiet, display_for, duration
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.memory import Frugal
from gancli.metrics import table
from gancli.monitor import monitored
from gancli.precision import Choice
from gancli.run import Folder, RunOptions
from gancli.saves import Saves
from gancli.signals import Stop, stoppable
from gancli.spread import spread_over
from gancli.start import amp, build_training, choose_precision, fresh, open_data, stepper, with_batch
from gancli.step import slow_down
from gancli.terminal import say_json
from gancli.train import Rhythm, Training
from gancli.tuning import tuned
from gancli.versions import versions

MOST_IMAGES = 2**53  # in a run: what JSON's numbers hold exactly


def launch(variant: str, values: dict[str, Any], options: RunOptions) -> int:
    """Train a variant with the hyperparameters given; returns the exit code. Raises UserError for bad input."""
    if options.gpus:
        spread_over(options.gpus)
    with dist.joined(), tuned():
        display = display_for(quiet=options.quiet or dist.rank() > 0, json=options.json)
        with ExitStack() as holding:
            holding.callback(display.close)
            return _launch(variant, values, options, display, holding)


def _launch(variant: str, values: dict[str, Any], options: RunOptions, display: Quiet, holding: ExitStack) -> int:
    models.trust(variant)
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
    _plan(display, about, choice, gan, dataset, clock, folder, newest)
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
    play = Frugal(stepper(gan, players, amp(about["precision"], data.device), options, display.note), display.note)
    training = Training(
        gan, players, ema, feed, clock, saves, folder, display, describe, play,
        rhythm=Rhythm(*(k and k * 1000 for k in (options.save_every, options.sample_every, options.eval_every))),
        evaluate=monitored(options.metrics, options.eval_every, feed, display.note) if dist.rank() == 0 else None,
        watch=lambda drawn: warn_if_alike(drawn, feed, display.note),
        worth=table.selection_score,
        winner=Winner(display.note),
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
    return _finish(training, stop, options, display)


# -------------------------------------------------------------------------------------------- the choices


def _total_images(options: RunOptions, kimg: float, batch: int, rows: int) -> int:
    if options.steps is not None and options.epochs is not None:
        raise UserError("--steps and --epochs both say how long to train: give one")
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
        "source": models.source_hash(variant),
        "versions": versions(),
        "options": given,
        "folder": str(Path.cwd()),  # where relative paths begin
    }


# ------------------------------------------------------------------------------------------------ telling


def _plan(
    display: Quiet,
    about: dict[str, Any],
    choice: Choice,
    gan: GAN[Any],
    dataset: Dataset[Any],
    clock: Clock,
    folder: Folder,
    newest: Path | None,
) -> None:
    spec, batch = dataset.spec, gan.hp.batch
    sizes = ", ".join(f"{name} {_count(net)}" for name, net in gan.named_children() if _count(net) != "0")
    threads = f", {torch.get_num_threads()} threads" if about["device"] == "cpu" else ""
    ranks = f", {dist.world()} processes" if dist.world() > 1 else ""
    steps, epochs = math.ceil(clock.total / batch), clock.total / len(dataset)
    start = f", resumed from {newest.name}" if newest else ""
    display.note(f"variant   {about['variant']}")
    for i, note in enumerate(dataset.notes):
        display.note(f"{'data' if i == 0 else '':<10}{dataset.name + ': ' if i == 0 else ''}{note}")
    size = "points" if spec.points else f"{spec.width}x{spec.height}"
    display.note(f"image     {size}, {spec.channels} channel{'s' * (spec.channels > 1)}")
    display.note(f"networks  {sizes} parameters")
    if about["suited"]:
        said = ", ".join(f"{name} {value}" for name, value in about["suited"].items())
        display.note(f"suited    {said}: to such data, where no option says otherwise")
    display.note(f"device    {about['device']}{threads}{ranks}")
    display.note(f"precision {choice}")
    display.note(f"length    {clock.total / 1000:g} kimg: {epochs:.3g} epochs, {steps:,} steps of {batch}")
    display.note(f"out       {folder.path}{start}")


def _count(network: torch.nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"


def _finish(training: Training, stop: Stop, options: RunOptions, display: Quiet) -> int:
    folder, clock = training.folder, training.clock
    if dist.rank() == 0:
        training.saves.attempt("curves.png", lambda: plots.save_curves(folder.ticks(), folder.curves))
        newest = folder.checkpoints()[-1] if folder.checkpoints() else None
        seen = f"{clock.images / 1000:g} kimg in {duration(training.seconds)}"
        said = _said(training.metrics)
        display.note(f"{'stopped after' if stop() else 'trained'} {seen}{said}")
        if folder.best.is_file():
            display.note(f"best      {_best(folder)}")
        if newest:
            display.note(f"next      gancli sample {newest}")
        if options.json:
            result = {"run": str(folder.path), "checkpoint": newest and str(newest), **dataclasses.asdict(clock)}
            result |= {
                "seconds": training.seconds,
                "metrics": training.metrics,
                "best": _best_metrics(folder),
                "stopped": stop(),
            }
            say_json(result)
    return stop.exit_code


def _said(metrics: dict[str, float]) -> str:
    return "".join(f", {name.replace('_', ' ')} {table.shown(name, value)}" for name, value in metrics.items())


def _best(folder: Folder) -> str:
    about = checkpoint.describe(folder.best)
    return f"{folder.best} at {about.clock['images'] / 1000:g} kimg{_said(about.metrics)}"


def _best_metrics(folder: Folder) -> dict[str, float] | None:
    return checkpoint.describe(folder.best).metrics if folder.best.is_file() else None
