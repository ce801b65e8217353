"""`gancli eval`: the same numbers for a checkpoint, a folder, an archive or an array, and how they came about."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import gancli
from gancli import images, models, registry
from gancli.checkpoint import SUFFIX
from gancli.data.feed import Dataset, Feed
from gancli.data.images import Images
from gancli.data.pictures import Wanted
from gancli.data.shapes import PRESETS
from gancli.data.sources import Request, parse_size
from gancli.devices import has_bf16
from gancli.errors import UserError
from gancli.metrics import extract, neighbours, scores, shapes, statistics
from gancli.metrics.extract import Tell
from gancli.metrics.extractors import Extractor
from gancli.metrics.features import Features
from gancli.metrics.sides import DRAWN, Drawn, Side, open_images, reals_of
from gancli.run import RUNS

FEW = 2048  # images below which FID says more of their number than of the model
MEMORISED = 0.02  # share of copies above which a model is called out
DEFAULT = 50_000  # images that a model draws
EXTRACTORS = ("inception", "local", "effnet")
LIKE = ("extractor", "weights", "precision")  # must be the same on both sides of a comparison


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked."""

    inputs: tuple[str, ...]
    data: str | None
    metrics: tuple[str, ...]
    n: int | None = None
    reals: int | None = None
    split: str = "train"
    size: str | None = None
    extractor: str = "inception"
    weights: Path | None = None
    fast: bool = False
    stats: Path | None = None
    seed: int = 0
    best: bool = False
    neighbours: Path | None = None

    @property
    def names(self) -> list[str]:
        """The scores that need features."""
        found = [name for name in self.metrics if name != scores.SHAPES]
        return [*found, *(["copies"] if self.neighbours else [])]


@dataclass(frozen=True)
class Result:
    """The scores of one input."""

    name: str
    metrics: dict[str, float]
    protocol: dict[str, Any]


def evaluate(options: Options, device: torch.device, tell: Tell, note: Callable[[str], None]) -> list[Result]:
    """Score every input against the reference; raises UserError for sides that are empty or do not compare."""
    if options.neighbours and len(options.inputs) > 1:
        raise UserError("--neighbours draws the picture of one model: name one")
    if options.data is None and options.stats is None:
        raise UserError("give the real images with --data, or their statistics with --stats")
    fakes, real = _sides(options, device)
    against = _against(options, real, device, tell)
    results = [_result(fake, real, against, options, tell) for fake in fakes]
    _compare(results)
    if options.fast and not has_bf16(device):
        note("--fast: this device has no bf16 of its own, so it is slower here than without")
    for text in [*_copying(results), *_warnings(against, [*fakes, *([real] if real else [])])]:
        note(text)
    return results


@dataclass(frozen=True)
class Against:
    """What the features of every input are compared with."""

    extractor: Extractor
    features: Features
    about: dict[str, Any]


def _against(options: Options, real: Side | None, device: torch.device, tell: Tell) -> Against | None:
    if not options.names:
        return None
    extractor = make_extractor(options, real, device)
    return Against(extractor, *_reference(options, real, extractor, tell))


def _result(fake: Side, real: Side | None, against: Against | None, options: Options, tell: Tell) -> Result:
    found: dict[str, float] = {}
    if scores.SHAPES in options.metrics:
        found |= _shapes(fake, options.data)
    if against is None:
        return Result(fake.name, found, _said({"extractor": scores.SHAPES}, fake, real.about() if real else {}))
    features = extract.collect(fake, against.extractor, options.names, tell)
    wanted = [name for name in options.metrics if name != scores.SHAPES]
    found |= scores.measure(wanted, features, against.features, inception=against.extractor.inception)
    if options.neighbours:
        found |= _show_neighbours(options.neighbours, fake, real, features, against.features)
    return Result(fake.name, found, _said(_network(against.extractor), fake, against.about))


def _shapes(fake: Side, data: str | None) -> dict[str, float]:
    """Read the built-in shapes of a side by drawing them again."""
    if data not in PRESETS:
        raise UserError(f"--metrics shapes reads the built-in shapes: give --data {', '.join(PRESETS)}")
    preset = PRESETS[data]
    parts = [batch[:, : preset.channels] for batch in fake.batches(DRAWN)]
    sizes = {part.shape[1:] for part in parts}
    if len(sizes) != 1:
        raise UserError("--metrics shapes reads images of one size: give --size")
    return shapes.score(preset, torch.cat(parts).numpy())


# ------------------------------------------------------------------------------------------------- sides


def is_model(name: str) -> bool:
    """Tell a checkpoint, a run folder or the name of a run from a source of images."""
    path = Path(name).expanduser()
    run = (path / "run.json").is_file() or (path / "checkpoints").is_dir()
    return path.suffix == SUFFIX or run or (not path.exists() and (RUNS / name).is_dir())


def _sides(options: Options, device: torch.device) -> tuple[list[Side], Side | None]:
    found = {name: models.find(name, best=options.best) for name in options.inputs if is_model(name)}
    size = _size(options, found)
    real: Side | None = None
    fakes: list[Side] = []
    for name in options.inputs:
        if name in found:
            drawn, its_real = _drawn(name, found[name], options, size, device)
            fakes.append(drawn)
            real = real or its_real
        else:
            fakes.append(open_images(name, options.split, size, options.n))
    if options.data and real is None:
        real = open_images(options.data, options.split, size, options.reals)
    return fakes, real


def _size(options: Options, found: dict[str, models.Model]) -> tuple[int, int] | None:
    """The size that both sides are brought to before any extractor sees them; None: each picture's own."""
    if options.size:
        return parse_size(options.size)
    sizes = {(model.about.spec.height, model.about.spec.width) for model in found.values()}
    if len(sizes) > 1:
        said = " and ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise UserError(f"these models draw at {said}: say at which to compare them with --size")
    return next(iter(sizes), None)


def _drawn(
    name: str, model: models.Model, options: Options, size: tuple[int, int] | None, device: torch.device
) -> tuple[Side, Side | None]:
    gan = models.load(model).to(device)
    spec = model.about.spec
    if size and size != (spec.height, spec.width):
        raise UserError(f"--size: {model.name} draws at {spec.width}x{spec.height}; leave it out")
    dataset = _dataset(options, registry.load(model.about.variant).data, gan.spec)
    feed = Feed(dataset, DRAWN, options.seed, device)
    drawn = Drawn(name, gan, feed, options.n or DEFAULT, options.seed, model.fingerprint)
    return drawn, reals_of(dataset, options.split, options.reals) if options.data else None


def _dataset(options: Options, kind: type[Any], spec: Any) -> Dataset[Any]:
    if options.data:
        wanted = Wanted((spec.height, spec.width), spec.channels)
        return kind.open(Request(options.data, wanted, options.split))
    if kind is not Images:
        raise UserError("this model draws from data: name it with --data, beside --stats")
    blank = torch.zeros((DRAWN, spec.channels, spec.height, spec.width), dtype=torch.uint8)
    return Dataset("none", spec, kind, {"image": blank})


# ---------------------------------------------------------------------------------------------- features


def make_extractor(options: Options, real: Side | None, device: torch.device) -> Extractor:
    """Build the network that was asked for; raises UserError when its weights are nowhere."""
    if options.extractor == "inception":
        from gancli.metrics.extractors.inception import Inception

        return Inception(options.weights, device, fast=options.fast)
    if options.fast or options.weights:
        raise UserError("--fast and --weights are for --extractor inception")
    if options.extractor == "effnet":
        from gancli.metrics.extractors.effnet import Effnet

        return Effnet(device)
    if real is None:
        raise UserError("--extractor local is trained on the real images: name them with --data")
    from gancli.metrics.extractors.local import Local

    return Local(real, device)


def _reference(
    options: Options, real: Side | None, extractor: Extractor, tell: Tell
) -> tuple[Features, dict[str, Any]]:
    """The features of the reals and what the protocol says of them; read from, or written to, --stats."""
    stats = options.stats
    if real is None:
        assert stats is not None
        features, said = statistics.read(stats)
        _check_like(said, _network(extractor), stats)
        return features, said.get("real", {}) if said else {"data": stats.name, "origin": "another tool"}
    features = extract.cached(real, extractor, options.names, tell)
    about = real.about() | {"images": features.count, "content": real.content()}
    if stats:
        statistics.write(stats, features, _network(extractor) | {"real": about})
    return features, about


# ---------------------------------------------------------------------------------------------- protocol


def _network(extractor: Extractor) -> dict[str, str]:
    about = {"extractor": extractor.name, "weights": extractor.weights[:16], "precision": extractor.precision}
    return about | {"resize": extractor.resize}


def _said(network: dict[str, str], fake: Side, real: dict[str, Any]) -> dict[str, Any]:
    """All that a number depends on."""
    versions = {"gancli": gancli.__version__, "torch": torch.__version__, "python": platform.python_version()}
    return {**network, "generated": fake.about(), "real": real, "versions": versions}


def _check_like(said: dict[str, Any] | None, ours: dict[str, str], path: Path) -> None:
    unlike = [f"{key} {said[key]}, here {ours[key]}" for key in LIKE if said and said.get(key) not in (None, ours[key])]
    if unlike:
        raise UserError(f"--stats {path} was made otherwise: {'; '.join(unlike)}")


def _compare(results: list[Result]) -> None:
    counts = {result.name: result.protocol["generated"]["images"] for result in results}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} has {count:,}" for name, count in counts.items())
        raise UserError(f"scores of unlike numbers of images do not compare: {said}; give -n {min(counts.values())}")


def _warnings(against: Against | None, sides: list[Side]) -> list[str]:
    found = [f"{side.name}: {text}" for side in sides for text in side.notes]
    least = min(side.count for side in sides)
    if against and least < FEW:
        found.append(
            f"only {least:,} images: a Frechet distance depends on their number below {FEW:,}; "
            f"compare at equal numbers only, or use kid, which is unbiased, or fid-infinity"
        )
    if against and against.extractor.inception and not against.extractor.official:
        found.append(f"{against.extractor.weights[:16]} are not the weights of the FID paper: compare with no one")
    return found


def _show_neighbours(
    path: Path, fake: Side, real: Side | None, features: Features, reference: Features
) -> dict[str, float]:
    if real is None or features.rows is None or reference.rows is None:
        raise UserError("--neighbours shows real images: name them with --data")
    found = neighbours.nearest(features.rows, reference.rows)
    images.save_png(neighbours.picture(fake, real, found), path, {"of": fake.name, "beside": real.name})
    return {"copies": found.copies}


def _copying(results: list[Result]) -> list[str]:
    return [
        f"{result.name} replays its reference: {share:.0%} of its images are copies of real ones"
        for result in results
        if (share := result.metrics.get("copies", 0)) > MEMORISED
    ]
