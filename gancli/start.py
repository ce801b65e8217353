"""What stands before the first step: the device, the data, the networks and their optimisers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gancli import dist, registry
from gancli.compiling import WhenLong, compile_terms
from gancli.data.feed import Dataset
from gancli.data.pictures import Report, Wanted
from gancli.data.sources import Request, parse_size
from gancli.data.spec import Batch
from gancli.devices import choose_device
from gancli.ema import EMA
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.graphs import Cuda, Graphs
from gancli.hparams import AUTO, HParams
from gancli.precision import Choice, choose, of_accelerator
from gancli.run import OF_SOME_DATA, SetUp
from gancli.seeds import seed_all
from gancli.step import Amp, play_step

MOST = 4096  # images in a batch that is chosen for the user


@dataclass(frozen=True)
class Data:
    """What a variant is to be trained on, and with which hyperparameters."""

    kind: type[GAN[Any]]
    hp: HParams
    dataset: Dataset[Any]
    device: torch.device
    suited: Mapping[str, Any]  # hyperparameters that the data chose


def open_data(variant: str, values: Mapping[str, Any], options: SetUp, report: Report) -> Data:
    """Read the data, and give hyperparameters that suit them where `values` names none."""
    device = choose_device(options.device)
    kind = registry.load(variant)
    hp = kind.hparams(**values)  # wrong ones are said before any data is read
    _check_data_options(variant, kind.data, options)
    dataset = kind.dataset(hp, _request(options, kind.builtin, report)).to(device)
    suited = {name: value for name, value in kind.suited(dataset.spec).items() if name not in values}
    return Data(kind, kind.hparams(**{**suited, **values}), dataset, device, suited)


def stepper(
    gan: GAN[Any], players: Mapping[str, Optimizer], context: Amp, options: SetUp, note: Callable[[str], None]
) -> Callable[..., dict[str, Tensor]]:
    """Choose how steps are played: eagerly, as CUDA graphs, with compiled terms."""

    def eagerly(parts: Sequence[Any], clock: Clock, slower: float = 1.0) -> dict[str, Tensor]:
        return play_step(gan, players, parts, clock, context, slower)

    cuda = gan.device.type == "cuda"
    graphs = Graphs(gan, players, context, Cuda(gan.device), note) if cuda and options.graph == "auto" else None
    play = graphs or eagerly

    def begin() -> None:
        compile_terms(gan, players, note)
        if graphs:
            graphs.forget()

    if options.compile == "on":
        begin()
    return WhenLong(play, begin) if cuda and options.compile == "auto" else play


def with_batch(data: Data, options: SetUp, before: Mapping[str, Any] | None = None) -> Data:
    """Choose the size of the batch, if it is left to us; `before`: the hyperparameters of the run that goes on.

    Raises UserError for one that cannot be shared out.
    """
    if data.hp.batch == AUTO:
        chosen = before["batch"] if before else _fitting_batch(data, options)
        data = dataclasses.replace(data, hp=dataclasses.replace(data.hp, batch=chosen))
    batch, parts, processes = data.hp.batch, options.accumulate, dist.world()
    if batch % (processes * parts):
        into = f"{processes} processes" if parts == 1 else f"{processes} x {parts} parts (processes x --accumulate)"
        raise UserError(f"--batch {batch} does not divide into {into}")
    return data


def _fitting_batch(data: Data, options: SetUp) -> int:
    """The largest batch of this process that fits, for all processes; a step that is not one of several parts."""
    if data.device.type != "cuda":
        raise UserError(f"--batch auto measures the memory of a GPU, and this is the {data.device}: give a number")

    context = amp(of_accelerator(options.precision, data.device), data.device)

    def fits(size: int) -> bool:
        trial = dataclasses.replace(data, hp=dataclasses.replace(data.hp, batch=size))
        try:
            gan, players, _ = build_training(trial, options.seed)
            batch = data.dataset.at(options.seed, 0, size, data.device)
            play_step(gan, players, [batch], Clock(0, 0, 10**12), context)
            torch.cuda.synchronize()
        except torch.cuda.OutOfMemoryError:
            return False
        finally:
            torch.cuda.empty_cache()
        return True

    own = largest(fits, min(len(data.dataset), MOST))
    if not own:
        raise UserError(
            f"--batch auto: not even one image fits into {data.device}'s memory: a smaller --size or --width"
        )
    return int(min(dist.gathered(own))) * dist.world() * options.accumulate


def largest(fits: Callable[[int], bool], most: int) -> int:
    """Find the largest power of two, up to `most`, that fits; 0 when not even 1 does."""
    size = 0
    while max(1, 2 * size) <= most and fits(max(1, 2 * size)):
        size = max(1, 2 * size)
    return size


def fresh(data: Data, seed: int) -> GAN[Any]:
    """Make the networks with their first weights."""
    seed_all("init", seed)
    return data.kind(data.hp, data.dataset.spec)


def build_training(data: Data, seed: int) -> tuple[GAN[Any], Mapping[str, Optimizer], EMA]:
    """Make the networks, the same on all processes, their optimisers and their average."""
    gan = fresh(data, seed)
    gan = gan.to(data.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    dist.broadcast([*gan.parameters(), *gan.buffers()])
    return gan, gan.players(), EMA(gan)


def choose_precision(gan: GAN[Any], data: Data, options: SetUp, before: str | None = None) -> Choice:
    """Choose the precision of a run: as asked, as in the run `before`, or the faster for its networks and batch."""
    rows = max(1, data.hp.batch // (dist.world() * options.accumulate))
    return choose(options.precision, before, gan, rows, lambda n: data.dataset.at(options.seed, 0, n, data.device))


def amp(precision: str, device: torch.device) -> Callable[[], Any]:
    """Give the context in which turns are played."""
    return nullcontext if precision == "fp32" else lambda: torch.autocast(device.type, torch.bfloat16)


def _request(options: SetUp, builtin: str, report: Report) -> Request:
    wanted = Wanted(parse_size(options.size), options.channels, options.workers)
    return Request(
        options.data or builtin, wanted, options.split, report, options.data_b, options.pairs, options.direction
    )


def _check_data_options(variant: str, kind: type[Batch], options: SetUp) -> None:
    """Raise UserError for an option that belongs to another kind of data than the variant's."""
    for name in sorted(OF_SOME_DATA):
        if getattr(options, name) is not None and name not in kind.uses:
            raise UserError(f"--{name.replace('_', '-')}: {variant} trains on {kind.__name__.lower()}, it has no use")
