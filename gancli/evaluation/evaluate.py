"""`gancli eval`: score a checkpoint, a folder, an archive or an array, and record the protocol with each score."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gancli.data.sources import builtin
from gancli.data.synthetic.points import MIXTURES
from gancli.data.synthetic.shapes import PRESETS
from gancli.errors import UserError
from gancli.evaluation import extract, neighbour_sheet, path_lengths, point_models, stats_files
from gancli.evaluation.class_names import PER_CLASS, class_names
from gancli.evaluation.comparisons import Options, Trial, open_trials
from gancli.evaluation.extractors.extractor import Extractor
from gancli.evaluation.extractors.extractor_table import LOCAL, make_extractor
from gancli.evaluation.image_sets import DRAWN, GeneratedImages, ImageSet
from gancli.evaluation.known_truth import domains, shapes
from gancli.evaluation.protocol import Against, Result, cautions, check_counts, check_like, extractor_facts, protocol_of
from gancli.images.writing import save_png
from gancli.metrics import neighbours, scores, table
from gancli.metrics.features import Features
from gancli.system.devices import has_bf16
from gancli.system.download import Unfetched
from gancli.system.progress import Tell

MEMORISED = 0.02  # share of copies above which a warning says that the model memorised its training images


def evaluate(options: Options, device: torch.device, tell: Tell, note: Callable[[str], None]) -> list[Result]:
    """Score every input against the real images; raise UserError for inputs that are empty or not comparable."""
    if options.data is None and options.stats is None:
        raise UserError("give the real images with --data, or their statistics with --stats")
    trials = open_trials(options, device)
    if options.neighbours and len(trials) > 1:
        raise UserError("--neighbours shows one model, and for a translator one direction: give one MODEL")
    against = {id(real): _against(options, real, device, tell) for real in _reals(trials)}
    results = [_result(trial, against[id(trial.real)], options, tell) for trial in trials]
    for direction in {trial.direction: None for trial in trials}:
        check_counts([result for result, trial in zip(results, trials) if trial.direction == direction])
    if options.fast and not has_bf16(device):
        note("--fast: this device has no native bf16, so --fast makes evaluation slower")
    sides = [*(trial.fake for trial in trials), *filter(None, _reals(trials))]
    reference = next(iter(against.values())) if options.names else None
    for text in [*_copying(results), *cautions(reference, sides)]:
        note(text)
    return results


def _reals(trials: list[Trial]) -> list[ImageSet | None]:
    """List each reference once."""
    return list({id(trial.real): trial.real for trial in trials}.values())


def _against(options: Options, real: ImageSet | None, device: torch.device, tell: Tell) -> Against | None:
    if not options.names and not options.paths:
        return None
    try:
        extractor = make_extractor(
            options.extractor, real, device, weights=options.weights, fast=options.fast, tell=tell
        )
    except Unfetched as error:
        raise error.or_else(f"--extractor {LOCAL}, which needs no download (its distance is not FID)") from None
    if not options.names:
        return Against(extractor, None, real.about() if real else {})
    return Against(extractor, *_reference(options, real, extractor, tell))


def _result(trial: Trial, against: Against | None, options: Options, tell: Tell) -> Result:
    fake, real = trial.fake, trial.real
    found: dict[str, float] = {}
    if table.KNOWN_TRUTH in options.metrics:
        found |= _shapes(trial, options.data)
    found |= _pixels(trial, [name for name in options.metrics if name in scores.PIXELS])
    if against is None:
        points = "points" if options.data in MIXTURES else table.KNOWN_TRUTH
        by = points if table.KNOWN_TRUTH in options.metrics else "none"
        return Result(fake.name, found, protocol_of({"extractor": by}, fake, real.about() if real else {}))
    if against.features is not None:
        found |= _of_features(fake, real, against.extractor, against.features, options, tell)
    said = protocol_of(extractor_facts(against.extractor), fake, against.about)  # once all files have been read
    if options.paths and trial.gan is not None:
        found |= path_lengths.path_lengths(trial.gan, against.extractor, fake.name, fake.count, options.seed, tell)
        said["paths"] = path_lengths.PROTOCOL
    if PER_CLASS in options.metrics and real is not None:
        said["classes"] = list(class_names(fake, real))
    return Result(fake.name, found, said)


def _of_features(
    fake: ImageSet, real: ImageSet | None, extractor: Extractor, reference: Features, options: Options, tell: Tell
) -> dict[str, float]:
    features = extract.collect(fake, extractor, options.names, tell)
    wanted = [name for name in options.metrics if table.of_features(name)]
    found = scores.measure(wanted, features, reference, inception=extractor.inception)
    if options.neighbours:
        found |= _show_neighbours(options.neighbours, options.scale, fake, real, features, reference)
    return found


def _shapes(trial: Trial, data: str | None) -> dict[str, float]:
    """Score built-in shapes: recover their factors by re-rendering."""
    if data in MIXTURES and isinstance(trial.fake, GeneratedImages):
        return point_models.score(data, trial.fake)
    if data not in PRESETS:
        raise UserError(f"--metrics shapes needs the built-in shapes: give --data {' or '.join(PRESETS)}")
    preset = PRESETS[data]
    if trial.gan is not None and set(trial.gan.spec.domains) == set(builtin.DOMAINS):
        return domains.score_direction(preset, trial.gan, trial.direction)
    parts = [batch[:, : preset.channels] for batch in trial.fake.batches(DRAWN)]
    sizes = {part.shape[1:] for part in parts}
    if len(sizes) != 1:
        raise UserError("--metrics shapes needs images of one size: give --size")
    return shapes.score(preset, torch.cat(parts).numpy())


def _pixels(trial: Trial, names: list[str]) -> dict[str, float]:
    """Compare each image with its ground truth pixel by pixel, and return means over the images."""
    if not names or trial.real is None:
        return {}
    sums = dict.fromkeys(names, 0.0)
    for fake, real in zip(trial.fake.batches(DRAWN), trial.real.batches(DRAWN), strict=True):
        for name in names:
            sums[name] += float(scores.PIXELS[name](fake, real).sum())
    return {name: total / trial.fake.count for name, total in sums.items()}


# ---------------------------------------------------------------------------------------------- features


def _reference(
    options: Options, real: ImageSet | None, extractor: Extractor, tell: Tell
) -> tuple[Features, dict[str, Any]]:
    """Return the features of the real images and their protocol entry; read them from, or write them to, --stats."""
    stats = options.stats
    if real is None:
        assert stats is not None
        features, said = stats_files.read(stats)
        check_like(said, extractor_facts(extractor), stats)
        return features, said.get("real", {}) if said else {"data": stats.name, "origin": "another tool"}
    features = extract.cached(real, extractor, options.names, tell)
    about = real.about() | {"images": features.count, "content": real.content()}
    if stats:
        stats_files.write(stats, features, extractor_facts(extractor) | {"real": about})
    return features, about


# ---------------------------------------------------------------------------------------------- protocol


def _show_neighbours(
    path: Path, scale: int, fake: ImageSet, real: ImageSet | None, features: Features, reference: Features
) -> dict[str, float]:
    if real is None or features.rows is None or reference.rows is None:
        raise UserError("--neighbours shows real images: give them with --data")
    found = neighbours.nearest(features.rows, reference.rows)
    save_png(neighbour_sheet.picture(fake, real, found, scale), path, {"of": fake.name, "beside": real.name})
    return {"copies": found.copies}


def _copying(results: list[Result]) -> list[str]:
    return [
        f"{result.name} may have memorised real images: {share:.0%} of its images are near-copies of them"
        for result in results
        if (share := result.metrics.get("copies", 0)) > MEMORISED
    ]
