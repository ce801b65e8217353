"""The functions that compute each score of `gancli.metrics.table`, by name."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gancli.errors import UserError
from gancli.metrics import fid, prdc, table, two_sample
from gancli.metrics.feature_distance import feature_distance
from gancli.metrics.features import Features
from gancli.metrics.inception_score import inception_score, mode_score
from gancli.metrics.kid import kid
from gancli.metrics.neighbours import nearest
from gancli.metrics.psnr import psnr
from gancli.metrics.ssim import ssim

Numbers = dict[str, float]
Score = Callable[[Features, Features], Numbers]  # of fake and real


def _rows(features: Features) -> Tensor:
    if features.rows is None:
        raise UserError(
            "these statistics contain moments only, which are enough for fid only: replace --stats by --data"
        )
    return features.rows


def _logits(features: Features) -> Tensor:
    if features.logits is None:
        raise UserError("this extractor has no classes: leave out is and mode-score")
    return features.logits


def _pair(names: str, values: tuple[float, float]) -> Numbers:
    return dict(zip(names.split(), values))


def _kid(mean: float, deviation: float) -> Numbers:
    """Leave out a deviation that so few images cannot give."""
    return {"kid": mean} if math.isnan(deviation) else {"kid": mean, "kid_std": deviation}


def _infinity(fake: Features, real: Features) -> Numbers:
    found = fid.infinity(_with_rows(fake), real)
    return {"fid_infinity": found.value, "fid_infinity_slope": found.slope, "fid_infinity_residual": found.residual}


def _with_rows(features: Features) -> Features:
    _rows(features)
    return features


def _per_class(fake: Features, real: Features) -> Numbers:
    """Return the distance between real and generated images of each class."""
    if fake.labels is None or real.labels is None:
        raise UserError("fid-per-class needs classes for real and generated images: one folder per class, or labels")
    found = {}
    for label in real.labels.unique().tolist():
        sides = [side.rows[side.labels == label] for side in (fake, real) if side.rows is not None]  # pyright: ignore
        if label >= 0 and min(map(len, sides)) > 1:
            found[f"fid_class_{label}"] = fid.frechet(Features.of(sides[0]), Features.of(sides[1]))
    if not found:
        raise UserError("fid-per-class: no class has at least two real and two generated images")
    return found


SCORES: dict[str, Score] = {  # of features
    "fid": lambda fake, real: {"fid": fid.frechet(fake, real)},
    "is": lambda fake, _: _pair("is is_std", inception_score(_logits(fake))),
    "kid": lambda fake, real: _kid(*kid(_rows(fake), _rows(real))),
    "precision-recall": lambda fake, real: _pair("precision recall", prdc.precision_recall(_rows(fake), _rows(real))),
    "density-coverage": lambda fake, real: _pair("density coverage", prdc.density_coverage(_rows(fake), _rows(real))),
    "copies": lambda fake, real: {"copies": nearest(_rows(fake), _rows(real), 1).copies},
    "fid-infinity": _infinity,
    "fid-jackknife": lambda fake, real: {"fid_error": fid.jackknife(_with_rows(fake), real)},
    "fid-per-class": _per_class,
    "mode-score": lambda fake, real: {"mode_score": mode_score(_logits(fake), _logits(real))},
    "mmd": lambda fake, real: {"mmd": two_sample.mmd(*_few(fake, real))},
    "wasserstein": lambda fake, real: {"wasserstein": two_sample.wasserstein(*_few(fake, real))},
    "feature-distance": lambda fake, real: {"feature_distance": feature_distance(_rows(fake), _rows(real))},
    "1nn": lambda fake, real: {"1nn": two_sample.nearest_neighbour(*_few(fake, real))},
}
PIXELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"psnr": psnr, "ssim": ssim}  # of images and their ground truth


def _few(fake: Features, real: Features) -> tuple[Tensor, Tensor]:
    """Return a random choice of rows, few enough for scores of quadratic and cubic cost."""
    picked = []
    for i, rows in enumerate((_rows(fake), _rows(real))):
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(i))
        picked.append(rows[order[: two_sample.MOST]])
    return picked[0], picked[1]


def measure(names: list[str], fake: Features, real: Features, *, inception: bool) -> Numbers:
    """Compute the named scores; a Frechet distance in features other than Inception's is never called FID."""
    found: Numbers = {}
    for name in names:
        try:
            found |= SCORES[name](fake, real)
        except ValueError as error:
            raise UserError(f"--metrics {name}: {error}") from None
    return found if inception else {table.not_fid(name): value for name, value in found.items()}
