"""`gancli eval`: the same numbers for a checkpoint, a folder, an archive or an array, and how they came about."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gancli import images
from gancli.data import builtin
from gancli.data.shapes import PRESETS
from gancli.devices import has_bf16
from gancli.errors import UserError
from gancli.metrics import domains, extract, neighbours, scores, shapes, statistics, table
from gancli.metrics.extract import Tell
from gancli.metrics.extractor_table import make_extractor
from gancli.metrics.extractors import Extractor
from gancli.metrics.features import Features
from gancli.metrics.sides import DRAWN, Side
from gancli.trials import Options, Trial, open_trials
from gancli.versions import versions

FEW = 2048  # images below which FID says more of their number than of the model
MEMORISED = 0.02  # share of copies above which a model is called out
LIKE = ("extractor", "weights", "precision")  # must be the same on both sides of a comparison


@dataclass(frozen=True)
class Result:
    """The scores of one input."""

    name: str
    metrics: dict[str, float]
    protocol: dict[str, Any]


def evaluate(options: Options, device: torch.device, tell: Tell, note: Callable[[str], None]) -> list[Result]:
    """Score every input against the reference; raises UserError for sides that are empty or do not compare."""
    if options.data is None and options.stats is None:
        raise UserError("give the real images with --data, or their statistics with --stats")
    trials = open_trials(options, device)
    if options.neighbours and len(trials) > 1:
        raise UserError("--neighbours draws the picture of one model that goes one way: name one")
    against = {id(real): _against(options, real, device, tell) for real in _reals(trials)}
    results = [_result(trial, against[id(trial.real)], options, tell) for trial in trials]
    for direction in {trial.direction: None for trial in trials}:
        _compare([result for result, trial in zip(results, trials) if trial.direction == direction])
    if options.fast and not has_bf16(device):
        note("--fast: this device has no bf16 of its own, so it is slower here than without")
    sides = [*(trial.fake for trial in trials), *filter(None, _reals(trials))]
    for text in [*_copying(results), *_warnings(next(iter(against.values())), sides)]:
        note(text)
    return results


def _reals(trials: list[Trial]) -> list[Side | None]:
    """The references, each once."""
    return list({id(trial.real): trial.real for trial in trials}.values())


@dataclass(frozen=True)
class Against:
    """What the features of every input are compared with."""

    extractor: Extractor
    features: Features
    about: dict[str, Any]


def _against(options: Options, real: Side | None, device: torch.device, tell: Tell) -> Against | None:
    if not options.names:
        return None
    extractor = make_extractor(options.extractor, real, device, weights=options.weights, fast=options.fast)
    return Against(extractor, *_reference(options, real, extractor, tell))


def _result(trial: Trial, against: Against | None, options: Options, tell: Tell) -> Result:
    fake, real = trial.fake, trial.real
    found: dict[str, float] = {}
    if table.KNOWN_TRUTH in options.metrics:
        found |= _shapes(trial, options.data)
    found |= _pixels(trial, [name for name in options.metrics if name in scores.PIXELS])
    if against is None:
        by = table.KNOWN_TRUTH if table.KNOWN_TRUTH in options.metrics else "none"
        return Result(fake.name, found, _said({"extractor": by}, fake, real.about() if real else {}))
    features = extract.collect(fake, against.extractor, options.names, tell)
    wanted = [name for name in options.metrics if table.of_features(name)]
    found |= scores.measure(wanted, features, against.features, inception=against.extractor.inception)
    if options.neighbours:
        found |= _show_neighbours(options.neighbours, fake, real, features, against.features)
    return Result(fake.name, found, _said(_network(against.extractor), fake, against.about))


def _shapes(trial: Trial, data: str | None) -> dict[str, float]:
    """Read the built-in shapes of a side by drawing them again."""
    if data not in PRESETS:
        raise UserError(f"--metrics shapes reads the built-in shapes: give --data {', '.join(PRESETS)}")
    preset = PRESETS[data]
    if trial.gan is not None and set(trial.gan.spec.domains) == set(builtin.DOMAINS):
        return domains.score_direction(preset, trial.gan, trial.direction)
    parts = [batch[:, : preset.channels] for batch in trial.fake.batches(DRAWN)]
    sizes = {part.shape[1:] for part in parts}
    if len(sizes) != 1:
        raise UserError("--metrics shapes reads images of one size: give --size")
    return shapes.score(preset, torch.cat(parts).numpy())


def _pixels(trial: Trial, names: list[str]) -> dict[str, float]:
    """Compare each image with its truth, pixel by pixel: means over the images."""
    if not names or trial.real is None:
        return {}
    sums = dict.fromkeys(names, 0.0)
    for fake, real in zip(trial.fake.batches(DRAWN), trial.real.batches(DRAWN), strict=True):
        for name in names:
            sums[name] += float(scores.PIXELS[name](fake, real).sum())
    return {name: total / trial.fake.count for name, total in sums.items()}


# ---------------------------------------------------------------------------------------------- features


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
    return {**network, "generated": fake.about(), "real": real, "versions": versions()}


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
