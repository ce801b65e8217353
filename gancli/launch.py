"""From the options of the command line to a run, and from a run to its exit code."""

import dataclasses
import json
import math
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

import gancli
from gancli import atomic, checkpoint, dist, models, plots, registry
from gancli.data.feed import Dataset, Feed
from gancli.data.pictures import Wanted
from gancli.data.sources import Request, parse_size
from gancli.data.spec import Batch
from gancli.devices import choose_device, choose_precision
from gancli.display import Quiet, display_for, duration
from gancli.ema import EMA
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.metrics import scores
from gancli.monitor import monitored
from gancli.run import Folder, RunOptions, newest_folder, next_folder
from gancli.seeds import seed_all
from gancli.train import Rhythm, Training

SHARES = ("valid_share", "mode_coverage", "share_within_3_sigma", "accuracy")  # metrics in [0, 1], shown in percent
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def launch(variant: str, values: dict[str, Any], options: RunOptions) -> int:
    """Train a variant with the hyperparameters given; returns the exit code. Raises UserError for bad input."""
    dist.start()
    torch.set_flush_denormal(True)  # numbers that die away are slow on a CPU
    try:
        display = display_for(quiet=options.quiet or dist.rank() > 0, json=options.json)
        return _launch(variant, values, options, display)
    finally:
        torch.set_flush_denormal(False)
        dist.stop()


def _launch(variant: str, values: dict[str, Any], options: RunOptions, display: Quiet) -> int:
    device = choose_device(options.device)
    kind = registry.load(variant)
    hp = kind.hparams(**values)  # wrong ones are said before any data is read
    _check_data_options(variant, kind.data, options)
    dataset = kind.dataset(hp, _request(options, kind.builtin, display)).to(device)
    hp = kind.hparams(**{**kind.suited(dataset.spec), **values})
    if hp.batch % dist.world():
        raise UserError(f"--batch {hp.batch} does not divide among {dist.world()} processes")
    total = _total_images(options, hp.kimg, hp.batch, len(dataset))
    folder = _folder(variant, dataset.name, options)
    dist.wait()  # all have chosen the folder before one of them writes to it

    seed_all("init", options.seed)
    gan = kind(hp, dataset.spec).to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    dist.broadcast([*gan.parameters(), *gan.buffers()])
    players, ema = gan.players(), EMA(gan)
    clock = Clock(0, 0, total)
    about = _about(variant, gan, dataset, options, device)
    about["suited"] = {name: value for name, value in kind.suited(dataset.spec).items() if name not in values}
    newest = _newest(folder) if options.resume else None
    _plan(display, about, gan, dataset, clock, folder, newest)
    if options.dry_run:
        return 0
    if options.resume:
        _check_unchanged(folder, about)
    if newest:
        restored = checkpoint.restore(newest, gan, players, ema)
        clock = dataclasses.replace(restored, total=total)

    def describe(clock: Clock, metrics: dict[str, float]) -> checkpoint.About:
        return checkpoint.About(
            variant=variant,
            hparams=about["hparams"],
            data=dataclasses.asdict(dataset.spec),
            clock=dataclasses.asdict(clock),
            run={"seed": options.seed, "precision": about["precision"], "data": dataset.name, **about["versions"]},
            metrics=metrics,
            source=about["source"],
        )

    feed = Feed(dataset, hp.batch, options.seed, device)
    training = Training(
        gan, players, ema, feed, clock, folder, display, describe,
        rhythm=Rhythm(*(k and k * 1000 for k in (options.save_every, options.sample_every, options.eval_every))),
        evaluate=monitored(options.metrics, options.eval_every, feed, display.note) if dist.rank() == 0 else None,
        worth=scores.worth,
        amp=_amp(about["precision"], device),
        keep=options.keep,
        seed=options.seed,
        seconds=next((tick["seconds"] for tick in reversed(folder.ticks())), 0.0),
    )  # fmt: skip
    with stoppable() as stopped, display:
        if dist.rank() == 0:
            atomic.write_json(folder.about, about)
            folder.rewind(clock.step)
        training.stop = lambda: stopped() is not None
        clock = training.train()
    return _finish(training, stopped(), options, display)


# -------------------------------------------------------------------------------------------- the choices


def _amp(precision: str, device: torch.device) -> Callable[[], Any]:
    return nullcontext if precision == "fp32" else lambda: torch.autocast(device.type, torch.bfloat16)


def _request(options: RunOptions, builtin: str, display: Quiet) -> Request:
    def report(done: int, of: int) -> None:
        if done % 10_000 == 0:  # fewer take no time worth a word
            display.note(f"decoded {done:,} of {of:,} images")

    wanted = Wanted(parse_size(options.size), options.channels, options.workers)
    return Request(
        options.data or builtin, wanted, options.split, report, options.data_b, options.pairs, options.direction
    )


def _check_data_options(variant: str, kind: type[Batch], options: RunOptions) -> None:
    """Raise UserError for an option that belongs to another kind of data than the variant's."""
    for name in ("data_b", "pairs", "direction"):
        if getattr(options, name) is not None and name not in kind.uses:
            raise UserError(f"--{name.replace('_', '-')}: {variant} trains on {kind.__name__.lower()}, it has no use")


def _total_images(options: RunOptions, kimg: float, batch: int, rows: int) -> int:
    if options.steps is not None and options.epochs is not None:
        raise UserError("--steps and --epochs both say how long to train: give one")
    if options.steps is not None:
        return options.steps * batch
    return round(options.epochs * rows if options.epochs is not None else kimg * 1000)


def _folder(variant: str, data: str, options: RunOptions) -> Folder:
    if options.out:
        folder = Folder(options.out.expanduser())
    else:
        folder = (options.resume and newest_folder(variant, data)) or next_folder(variant, data)
    if folder.path.exists() and not folder.path.is_dir():
        raise UserError(f"--out {folder.path} is a file")
    if folder.read_about() and not options.resume:
        raise UserError(f"--out {folder.path} already holds a run: give --resume to go on with it, or another folder")
    return folder


# ---------------------------------------------------------------------------------------------- resuming


def _newest(folder: Folder) -> Path | None:
    """The newest checkpoint that is whole and can be resumed."""
    return next((path for path in reversed(folder.checkpoints()) if checkpoint.resumes(path)), None)


def _check_unchanged(folder: Folder, about: dict[str, Any]) -> None:
    """Raise UserError when what is learnt would change; the length may."""
    before = folder.read_about()
    if before is None:
        return
    old, new = (
        {
            **a["hparams"],
            "variant": a["variant"],
            "seed": a["seed"],
            "data": a["data"],
            "image": a["spec"],
            "source": a["source"],
        }
        for a in (before, json.loads(json.dumps(about)))
    )
    changed = [
        f"{k} was {old.get(k)}, now {new.get(k)}" for k in {**old, **new} if k != "kimg" and old.get(k) != new.get(k)
    ]
    if changed:
        raise UserError(f"--resume: {folder.path} was trained otherwise: {'; '.join(changed)}")


def _about(
    variant: str, gan: GAN[Any], dataset: Dataset[Any], options: RunOptions, device: torch.device
) -> dict[str, Any]:
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    return {
        "variant": variant,
        "hparams": dataclasses.asdict(gan.hp),
        "data": options.data or gan.builtin,
        "spec": dataclasses.asdict(dataset.spec),
        "seed": options.seed,
        "device": str(device),
        "precision": choose_precision(options.precision, device),
        "processes": dist.world(),
        "source": models.source_hash(variant),
        "versions": {"gancli": gancli.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "options": given,
    }


# ------------------------------------------------------------------------------------------------ telling


def _plan(
    display: Quiet,
    about: dict[str, Any],
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
    display.note(f"device    {about['device']}{threads}{ranks}, {about['precision']}")
    display.note(f"length    {clock.total / 1000:g} kimg: {epochs:.3g} epochs, {steps:,} steps of {batch}")
    display.note(f"out       {folder.path}{start}")


def _count(network: torch.nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"


def _finish(training: Training, stopped: signal.Signals | None, options: RunOptions, display: Quiet) -> int:
    folder, clock = training.folder, training.clock
    if dist.rank() == 0:
        plots.save_curves(folder.ticks(), folder.path / "curves.png")
        newest = folder.checkpoints()[-1] if folder.checkpoints() else None
        seen = f"{clock.images / 1000:g} kimg in {duration(training.seconds)}"
        said = _said(training.metrics)
        display.note(f"{'stopped after' if stopped else 'trained'} {seen}{said}")
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
                "stopped": bool(stopped),
            }
            print(json.dumps(result))
    return EXIT_CODES[stopped] if stopped else 0


def _said(metrics: dict[str, float]) -> str:
    return "".join(f", {name.replace('_', ' ')} {_score(name, value)}" for name, value in metrics.items())


def _best(folder: Folder) -> str:
    about = checkpoint.describe(folder.best)
    return f"{folder.best} at {about.clock['images'] / 1000:g} kimg{_said(about.metrics)}"


def _best_metrics(folder: Folder) -> dict[str, float] | None:
    return checkpoint.describe(folder.best).metrics if folder.best.is_file() else None


def _score(name: str, value: float) -> str:
    return f"{value:.1%}" if name in SHARES else f"{value:.4g}"


# ------------------------------------------------------------------------------------------------ signals


@contextmanager
def stoppable() -> Iterator[Callable[[], signal.Signals | None]]:
    """Hold the first Ctrl-C or SIGTERM back until the step is done and saved; the second ends the process at once."""
    received: list[signal.Signals] = []

    def hold(number: int, _frame: object) -> None:
        if received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        received.append(signal.Signals(number))

    before = {number: signal.signal(number, hold) for number in EXIT_CODES}
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
