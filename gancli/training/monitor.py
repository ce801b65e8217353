"""Evaluation during training, with the same code as `gancli eval`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gancli.capabilities import Classifies
from gancli.data.feed import Feed
from gancli.data.kinds.images import Images
from gancli.data.sources import builtin
from gancli.data.synthetic.points import MIXTURES
from gancli.data.synthetic.shapes import PRESETS
from gancli.errors import UserError
from gancli.evaluation import extract
from gancli.evaluation.evaluate import MEMORISED
from gancli.evaluation.extractors.extractor_table import DEFAULT, EXTRACTORS, LOCAL, make_extractor
from gancli.evaluation.generated import generated_by, reference_of
from gancli.evaluation.known_truth import accuracy, domains, points, shapes
from gancli.gan import GAN
from gancli.images import scatter
from gancli.images.pixels import Pixels, to_pixels
from gancli.metrics import scores, table
from gancli.metrics.neighbours import nearest
from gancli.system import dist
from gancli.system.download import Unfetched
from gancli.system.progress import Tell
from gancli.training.diagnostics import warn_if_copied
from gancli.training.loop import Evaluate

READ = 1000  # images whose shapes are read
POINTS = 2500  # points whose modes are counted
FAKES, REALS = 2048, 10_000  # generated and real images for all other scores


def monitored(
    metrics: str,
    every: float | None,
    gan: GAN[Any],
    feed: Feed[Any],
    note: Callable[[str], None],
    tell: Tell = lambda *_: None,
) -> Evaluate | None:
    """Choose the evaluation. Raise UserError, before training, for metrics that cannot be computed on this data.

    `tell` hears how far the extraction of features is.
    auto: factors for the built-in shapes; for other data a local network's score, if `every` is given.
    """
    truths = _truths(feed)
    if metrics == "auto":
        metrics = table.KNOWN_TRUTH if truths else LOCAL if every else "none"
    if metrics == "none":
        return None
    if metrics != table.KNOWN_TRUTH:
        return _features(metrics, gan, feed, note, tell)
    if not truths:
        raise UserError(
            f"--metrics shapes works only on the built-in shapes, not on {feed.dataset.name}: give other metrics"
        )
    return lambda gan: {name: value for truth in truths for name, value in truth(gan).items()}


def _truths(feed: Feed[Any]) -> list[Evaluate]:
    """Return the evaluations that need no features: factors of the built-in shapes, and labels of held-out rows."""
    preset, held_out, found = PRESETS.get(feed.dataset.name), feed.dataset.held_out, list[Evaluate]()
    if preset is not None and set(feed.dataset.spec.domains) == set(builtin.DOMAINS):
        found.append(lambda gan: domains.score_gan(preset, gan))
    elif preset is not None:
        found.append(lambda gan: shapes.score(preset, draw_pixels(gan, feed, READ).transpose(0, 3, 1, 2)))
    if (mixture := MIXTURES.get(feed.dataset.name)) is not None:
        found.append(lambda gan: points.score(mixture, scatter.to_points(gan.fakes(feed.first(POINTS)))))
    if held_out is not None:
        found.append(lambda gan: accuracy.accuracy(gan, held_out, feed.device) if isinstance(gan, Classifies) else {})
    return found


def _features(metrics: str, gan: GAN[Any], feed: Feed[Any], note: Callable[[str], None], tell: Tell) -> Evaluate:
    names = ["fid"] if metrics in EXTRACTORS else table.parse(metrics)  # an extractor's name means its Frechet distance
    if table.KNOWN_TRUTH in names:
        raise UserError("--metrics shapes cannot be combined with other metrics: give it by itself")
    if of_truth := [name for name in names if table.needs_of(name) & {table.PAIRS, table.LABELS, table.PATHS}]:
        raise UserError(f"--metrics {of_truth[0]} is not available during training: use gancli eval")
    if not table.judging(names):
        raise UserError(
            f"--metrics {metrics} gives the uncertainty of a score, not the quality of the model: add another metric"
        )
    real = reference_of(gan, feed.dataset, "", REALS)
    try:
        extractor = make_extractor(metrics if metrics in EXTRACTORS else DEFAULT, real, feed.device, tell=tell)
    except Unfetched as error:
        raise UserError(f"{error.why}: give --metrics {LOCAL}, which needs no download (it is not FID)") from None
    note(f"metrics   {metrics} by {extractor.name}, {FAKES:,} generated images against {real.count:,} real images")
    draws = issubclass(feed.dataset.kind, Images)  # outputs of translators are meant to be near their inputs
    looked_at = [*names, *(["copies"] if draws else [])]
    with dist.alone():
        reference = extract.cached(real, extractor, looked_at, tell)

    def evaluate(gan: GAN[Any]) -> dict[str, float]:
        fake = generated_by(gan, feed.dataset, "generated images", FAKES, feed.seed)
        found = extract.collect(fake, extractor, looked_at, tell)
        if draws and found.rows is not None and reference.rows is not None:
            warn_if_copied(nearest(found.rows, reference.rows, 1).copies, MEMORISED, note)
        return scores.measure(names, found, reference, inception=extractor.inception)

    return evaluate


@torch.no_grad()
def draw_pixels(gan: GAN[Any], feed: Feed[Any], n: int, part: int = 100) -> Pixels:
    """Generate `n` images for the first rows of the data, as uint8 (N, H, W, C)."""
    parts = [feed.dataset.at(feed.seed, i, min(part, n - i), feed.device) for i in range(0, n, part)]
    return np.concatenate([to_pixels(gan.fakes(batch)) for batch in parts])
