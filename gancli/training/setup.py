"""Everything needed before the first training step: device, data, networks and optimisers."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import torch

from gancli import registry
from gancli.checkpoints import fine_tuning
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.fine_tuning import Start
from gancli.checkpoints.run_folder import Recorded
from gancli.data.dataset import Batch, Dataset
from gancli.data.request import Report, Request, Wanted
from gancli.engine.precision import Choice, choose
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.hparams import AUTO, HParams, option_of
from gancli.images.sizes import parse_size
from gancli.plugins.contract import check_networks
from gancli.system import dist
from gancli.system.devices import choose_device
from gancli.system.seeds import seed_all
from gancli.system.untrusted.door import held_to
from gancli.training.options import OF_SOME_DATA, RunOptions, SetUp
from gancli.training.state import State

SMALL = 32  # pixels per side: papers hardly cover such images
FEW = 5000  # images


@dataclass(frozen=True)
class Data:
    """The data to train a variant on, and the hyperparameters to use."""

    kind: type[GAN[Any]]
    hp: HParams
    dataset: Dataset[Any]
    device: torch.device
    suited: Mapping[str, Any]  # hyperparameters preset for the data
    start: Start | None = None  # the checkpoint that training starts from


def open_data(
    variant: str, values: Mapping[str, Any], options: SetUp, report: Report, start: Start | None = None
) -> Data:
    """Read the data; hyperparameters that are not in `values` get the variant's preset for such data.

    With a checkpoint to start from, they are the checkpoint's, except for the length and what is preset for few images.
    """
    device = choose_device(options.device)
    kind = registry.load(variant)
    theirs = fine_tuning.hyperparameters(start, kind) if start else {}
    hp = kind.hparams(**{**theirs, **values})  # report invalid values before reading any data
    if "batch" in values and hp.batch != AUTO:
        check_batch(kind, hp.batch, options)
    _check_data_options(variant, kind.data, options)
    dataset = kind.dataset(hp, _request(options, kind.builtin, report)).to(device)
    preset = _preset(kind, dataset, values, options.preset, device)
    hp = kind.hparams(**{**preset, **values})
    if start:
        fine_tuning.check_data(start, dataset.spec)
        preset = {**theirs, fine_tuning.LENGTH: hp.kimg}
        hp = kind.hparams(**{**preset, **values})
    preset |= _few(kind, dataset, _passes(options, hp, len(dataset)))
    suited = {name: value for name, value in preset.items() if name not in values}
    data = Data(kind, kind.hparams(**{**suited, **values}), dataset, device, suited, start)
    if start:
        fine_tuning.check_options(start, kind, data.hp, values)
    return data


def preset_name(asked: str, device: str, height: int, width: int) -> str:
    """Return the preset that --preset means, quick or paper, on a type of device and for a size of images."""
    if asked != "auto":
        return asked
    return "quick" if device == "cpu" or max(height, width) <= SMALL else "paper"


def _passes(options: SetUp, hp: HParams, rows: int) -> float:
    """Return how often training shows each image. With --minutes, which is measured later, the preset decides."""
    if isinstance(options, RunOptions) and options.epochs is not None:
        return options.epochs
    if isinstance(options, RunOptions) and options.steps is not None:
        return options.steps * (hp.batch or type(hp)().batch) / rows  # what `auto` will choose is not known yet
    return 1000 * hp.kimg / rows


def _few(kind: type[GAN[Any]], dataset: Dataset[Any], epochs: float) -> Mapping[str, Any]:
    return kind.few(dataset.spec, epochs) if len(dataset) < FEW else {}


def _preset(
    kind: type[GAN[Any]], dataset: Dataset[Any], values: Mapping[str, Any], asked: str, device: torch.device
) -> dict[str, Any]:
    spec = dataset.spec
    batch = kind.hparams(**values).batch or kind.hparams().batch  # what `auto` will choose is not known yet
    quick = preset_name(asked, device.type, spec.height, spec.width) == "quick"
    return dict(kind.preset(spec) if quick else kind.paper(spec, batch))


def with_preset(data: Data, values: Mapping[str, Any], before: Recorded) -> Data:
    """Return the data with the preset of the saved run: a resumed run keeps it, even in a newer version of gancli."""
    open_ = {f.name for f in dataclasses.fields(data.hp)} - values.keys()
    suited, own = ({k: v for k, v in kept.items() if k in open_} for kept in (before.suited, before.hparams))
    hints = get_type_hints(data.kind.hparams)
    try:
        for name, value in (*suited.items(), *own.items()):
            held_to(value, hints[name])
    except ValueError as error:
        raise UserError(f"--resume: the settings in the run's run.json do not fit: {error}") from None
    return dataclasses.replace(data, hp=data.kind.hparams(**{**suited, **own, **values}), suited=suited)


def check_batch(kind: type[GAN[Any]], batch: int, options: SetUp) -> None:
    """Raise UserError if a batch leaves fewer images to a micro-batch than the variant's batch norms need."""
    parts = dist.world() * options.accumulate
    if batch < kind.least_batch * parts:
        split = f", split into {parts}," if parts > 1 else ""
        raise UserError(
            f"--batch {batch}{split} is too small for the batch norms of this variant: "
            f"give at least {kind.least_batch * parts}"
        )


def fresh(data: Data, seed: int) -> GAN[Any]:
    """Build the networks with their initial weights, or those of the checkpoint to start from."""
    seed_all("init", seed)
    gan = data.kind(data.hp, data.dataset.spec)
    if data.start:
        fine_tuning.begin(data.start, gan)
    check_networks(gan)
    return gan


def build_training(data: Data, seed: int, total: int) -> State:
    """Build the networks (identical on all processes), their optimisers and their EMA, to train on `total` images."""
    gan = fresh(data, seed)
    gan = gan.to(data.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    dist.broadcast([*gan.parameters(), *gan.buffers()])
    players, ema = gan.players(), EMA(gan)
    if data.start:
        fine_tuning.freeze(data.start, gan, players)
        fine_tuning.begin_average(data.start, ema)
    return State(gan, players, ema, Clock(0, 0, total))


def choose_precision(gan: GAN[Any], data: Data, options: SetUp, before: str | None = None) -> Choice:
    """Choose the precision: the option's, the resumed run's (`before`), or the faster for these networks and batch."""
    rows = max(1, data.hp.batch // (dist.world() * options.accumulate))
    return choose(options.precision, before, gan, rows, lambda n: data.dataset.at(options.seed, 0, n, data.device))


def _request(options: SetUp, builtin: str, report: Report) -> Request:
    wanted = Wanted(parse_size(options.size), options.channels, options.workers, options.skip_broken)
    return Request(
        options.data or builtin, wanted, options.split, report, options.data_b, options.pairs, options.direction
    )


def _check_data_options(variant: str, kind: type[Batch], options: SetUp) -> None:
    """Raise UserError if an option does not apply to the variant's kind of data."""
    for name in sorted(OF_SOME_DATA):
        if getattr(options, name) is not None and name not in kind.uses:
            raise UserError(f"{option_of(name)} is not an option of {variant}, which trains on {kind.__name__.lower()}")
