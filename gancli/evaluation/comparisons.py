"""Pair each input of `gancli eval` with the real images that it is compared with."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gancli.capabilities import Fills, Samples, Translates
from gancli.checkpoints.checkpoint import SUFFIX
from gancli.checkpoints.find import Model, find_model, runs_here
from gancli.checkpoints.load import kind_of, load_model
from gancli.checkpoints.run_folder import RUNS, runs
from gancli.data.dataset import Dataset
from gancli.data.kinds.images import Images
from gancli.data.kinds.paired import Paired
from gancli.data.request import Request, Wanted
from gancli.data.sources import builtin
from gancli.data.sources.torchvision import NAMED
from gancli.errors import UserError, missing
from gancli.evaluation.class_names import PER_CLASS, check_classes
from gancli.evaluation.extractors import extractor_table
from gancli.evaluation.generated import generated_by, generated_by_class, halves, reference_of
from gancli.evaluation.image_sets import DRAWN, Arrays, GeneratedImages, ImageSet, open_images
from gancli.evaluation.point_models import check_points
from gancli.evaluation.translations import Translation, open_domains
from gancli.gan import GAN
from gancli.images.sizes import parse_size
from gancli.metrics import table
from gancli.system.untrusted.names import expanded

DEFAULT = 50_000  # images that a model generates


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one evaluation."""

    inputs: tuple[str, ...]
    data: str | None
    metrics: tuple[str, ...]
    n: int | None = None
    reals: int | None = None
    split: str = "train"
    size: str | None = None
    extractor: str = extractor_table.DEFAULT
    weights: Path | None = None
    fast: bool = False
    stats: Path | None = None
    seed: int = 0
    best: bool = False
    neighbours: Path | None = None
    scale: int = 1  # of that image
    skip_broken: bool = False

    @property
    def names(self) -> list[str]:
        """List the scores that need features."""
        found = [name for name in self.metrics if table.of_features(name)]
        return [*found, *(["copies"] if self.neighbours else [])]

    @property
    def paths(self) -> str:
        """Return the score that needs a model's latent space, if it is asked for."""
        return next((name for name in self.metrics if table.of_paths(name)), "")

    @property
    def of_truth(self) -> list[str]:
        """List the scores that compare each image with its ground truth."""
        return [name for name in self.metrics if table.of_pairs(name)]


@dataclass(frozen=True)
class Trial:
    """An input and the images that it is compared with."""

    fake: ImageSet
    real: ImageSet | None
    gan: GAN[Any] | None = None  # set for a model; for a translator, with the `direction` that is scored
    direction: str = ""
    halved: bool = False  # `real` is the half of the data that the model does not fill
    matched: bool = False  # image i of `real` is the ground truth of image i of `fake`


def is_model(name: str) -> bool:
    """Return whether `name` is a checkpoint, a run folder or the name of a run, not a source of images."""
    path = expanded(name)
    run = (path / "run.json").is_file() or (path / "checkpoints").is_dir()
    return path.suffix == SUFFIX or run or (not path.exists() and (RUNS / name).is_dir())


def _check_there(names: list[str]) -> None:
    """Raise UserError for an input that is neither a model nor images: most often a wrong name of a run."""
    images = [*builtin.names(), *NAMED]
    mine = [f"{RUNS.name}/{name}" for name in runs()]
    for name in names:
        if name not in images and not expanded(name).exists():
            raise missing("model or images", name, [*mine, *images], runs_here(mine))


def open_trials(options: Options, device: torch.device) -> list[Trial]:
    """Open every input and its real images, which all inputs share unless a translator has its own.

    Raise UserError if an input is missing, or does not fit the options.
    """
    found = {name: find_model(name, best=options.best) for name in options.inputs if is_model(name)}
    _check_there([name for name in options.inputs if name not in found])
    check_points(options.data, options.metrics, {name: found.get(name) for name in options.inputs})
    size = _size(options, found)
    trials: list[Trial] = []
    for name in options.inputs:
        if name not in found:
            trials.append(
                Trial(open_images(name, options.split, size, options.n, skip_broken=options.skip_broken), None)
            )
            continue
        gan = _load(found[name], size, device)
        if isinstance(gan, Translates):
            trials += _translations(name, found[name], gan, options)
        else:
            trials.append(_drawn(name, found[name], gan, options))
    found_reals = [trial for trial in trials if trial.real and not trial.direction]
    shared = next((trial.real for trial in sorted(found_reals, key=lambda trial: not trial.halved)), None)
    if shared is None and options.data and not all(trial.real for trial in trials):
        shared = open_images(options.data, options.split, size, options.reals, skip_broken=options.skip_broken)
    trials = [trial if trial.direction else dataclasses.replace(trial, real=shared) for trial in trials]
    _check(options, trials)
    return trials


def _check(options: Options, trials: list[Trial]) -> None:
    """Raise UserError for metrics that the inputs cannot have."""
    if options.of_truth and not all(trial.matched for trial in trials):
        raise UserError(f"--metrics {options.of_truth[0]} needs a translator as MODEL and matched pairs as --data")
    if PER_CLASS in options.metrics:
        for trial in trials:
            check_classes(trial.fake, trial.real)
    if options.paths:
        _check_sampling(trials, options.paths)


def _check_sampling(trials: list[Trial], score: str) -> None:
    for trial in trials:
        if not isinstance(trial.gan, Samples) or trial.gan.spec.points:
            raise UserError(
                f"--metrics {score} needs a model that generates images from latents, which {trial.fake.name} is not: "
                "leave it out"
            )


def _size(options: Options, found: dict[str, Model]) -> tuple[int, int] | None:
    """Return the size to which all images are resized before feature extraction; None keeps each image's own."""
    if options.size:
        return parse_size(options.size)
    sizes = {(spec.height, spec.width) for model in found.values() if not (spec := model.about.spec).points}
    if len(sizes) > 1:
        said = " and ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise UserError(f"these models generate images of {said}: choose one size for the comparison with --size")
    return next(iter(sizes), None)


def _load(model: Model, size: tuple[int, int] | None, device: torch.device) -> GAN[Any]:
    spec = model.about.spec
    if size and size != (spec.height, spec.width):
        raise UserError(f"--size: {model.name} generates images of {spec.width}x{spec.height}; leave out --size")
    return load_model(model).to(device)


def _drawn(name: str, model: Model, gan: GAN[Any], options: Options) -> Trial:
    dataset = _dataset(options, kind_of(model.about).data, gan)
    most = len(halves(dataset).filled) if isinstance(gan, Fills) else DEFAULT
    make = generated_by_class if PER_CLASS in options.metrics else generated_by
    drawn = make(gan, dataset, name, options.n or min(DEFAULT, most), options.seed, model.fingerprint)
    real = reference_of(gan, dataset, options.split, options.reals) if options.data else None
    return Trial(drawn, real, gan, halved=isinstance(gan, Fills))


def _dataset(options: Options, kind: type[Any], gan: GAN[Any]) -> Dataset[Any]:
    spec = gan.spec
    if options.data:
        wanted = Wanted(skip_broken=options.skip_broken)
        if not spec.points:
            wanted = dataclasses.replace(wanted, size=(spec.height, spec.width), channels=spec.channels)
        return kind.open(Request(options.data, wanted, options.split))
    if not issubclass(kind, Images) or isinstance(gan, Fills):
        raise UserError("this model generates from a data set: give it with --data, in addition to --stats")
    blank = torch.zeros((DRAWN, spec.channels, spec.height, spec.width), dtype=torch.uint8)
    return Dataset("none", spec, kind, kind.columns_of(blank))


def _translations(name: str, model: Model, gan: Any, options: Options) -> Iterator[Trial]:
    """Pair the translations of each direction, made from all images of its source domain, with the target domain."""
    if options.data is None or options.stats:
        raise UserError(f"{name} translates between two domains: give both with --data, and leave out --stats")
    kind = Paired if options.of_truth else kind_of(model.about).data
    domains = open_domains(gan, kind, options.data, options.split, options.seed, options.skip_broken)
    for direction in gan.directions:
        source, target = domains.way(direction)
        draw = Translation.of(gan, direction, domains.rows[source], options.n)
        called = f"{name} {direction}" if len(gan.directions) > 1 else name
        fake = GeneratedImages(called, draw, len(draw.rows), options.seed, model.fingerprint)
        n = options.n if domains.matched else options.reals
        real = Arrays(f"{domains.name} {domains.names[target]}", domains.rows[target], options.split, n=n)
        yield Trial(fake, real, gan, direction, matched=domains.matched)
