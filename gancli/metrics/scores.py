"""The scores that can be asked for, by name: what each needs, and which numbers it gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gancli.errors import UserError, missing
from gancli.metrics import fid, prdc, two_sample
from gancli.metrics.feature_distance import feature_distance
from gancli.metrics.features import Features
from gancli.metrics.inception_score import inception_score, mode_score
from gancli.metrics.kid import kid
from gancli.metrics.neighbours import nearest
from gancli.metrics.psnr import psnr
from gancli.metrics.ssim import ssim

Numbers = dict[str, float]


@dataclass(frozen=True)
class Score:
    """One of them."""

    of: Callable[[Features, Features], Numbers]  # fake, real
    rows: bool = True  # whether it needs the features of every image
    logits: bool = False


def _rows(features: Features) -> Tensor:
    if features.rows is None:
        raise UserError("these statistics hold moments only, which fid alone can use: give --data in place of --stats")
    return features.rows


def _logits(features: Features) -> Tensor:
    if features.logits is None:
        raise UserError("this extractor has no classes: leave out is and mode-score")
    return features.logits


def _pair(names: str, values: tuple[float, float]) -> Numbers:
    return dict(zip(names.split(), values))


def _infinity(fake: Features, real: Features) -> Numbers:
    found = fid.infinity(_with_rows(fake), real)
    return {"fid_infinity": found.value, "fid_infinity_slope": found.slope, "fid_infinity_residual": found.residual}


def _with_rows(features: Features) -> Features:
    _rows(features)
    return features


def _per_class(fake: Features, real: Features) -> Numbers:
    """Distances between the images of one class on both sides."""
    if fake.labels is None or real.labels is None:
        raise UserError("fid-per-class needs classes on both sides: folders of one folder a class, or labels")
    found = {}
    for label in real.labels.unique().tolist():
        sides = [side.rows[side.labels == label] for side in (fake, real) if side.rows is not None]  # pyright: ignore
        if label >= 0 and min(map(len, sides)) > 1:
            found[f"fid_class_{label}"] = fid.frechet(Features.of(sides[0]), Features.of(sides[1]))
    if not found:
        raise UserError("fid-per-class: no class has two images on both sides")
    return found


SCORES = {
    "fid": Score(lambda fake, real: {"fid": fid.frechet(fake, real)}, rows=False),
    "is": Score(lambda fake, _: _pair("is is_std", inception_score(_logits(fake))), rows=False, logits=True),
    "kid": Score(lambda fake, real: _pair("kid kid_std", kid(_rows(fake), _rows(real)))),
    "precision-recall": Score(
        lambda fake, real: _pair("precision recall", prdc.precision_recall(_rows(fake), _rows(real)))
    ),
    "density-coverage": Score(
        lambda fake, real: _pair("density coverage", prdc.density_coverage(_rows(fake), _rows(real)))
    ),
    "copies": Score(lambda fake, real: {"copies": nearest(_rows(fake), _rows(real), 1).copies}),
    "fid-infinity": Score(_infinity),
    "fid-jackknife": Score(lambda fake, real: {"fid_error": fid.jackknife(_with_rows(fake), real)}),
    "fid-per-class": Score(_per_class),
    "mode-score": Score(lambda fake, real: {"mode_score": mode_score(_logits(fake), _logits(real))}, False, True),
    "mmd": Score(lambda fake, real: {"mmd": two_sample.mmd(*_few(fake, real))}),
    "wasserstein": Score(lambda fake, real: {"wasserstein": two_sample.wasserstein(*_few(fake, real))}),
    "feature-distance": Score(lambda fake, real: {"feature_distance": feature_distance(_rows(fake), _rows(real))}),
    "1nn": Score(lambda fake, real: {"1nn": two_sample.nearest_neighbour(*_few(fake, real))}),
}

PIXELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"psnr": psnr, "ssim": ssim}  # of images and their truth
OF_TRUTH = (*PIXELS, "feature-distance")  # scores that need to know what each image should be
HIGHER = ("is", "precision", "recall", "density", "coverage", "mode_score", "accuracy")  # better when higher


def worth(numbers: Mapping[str, float]) -> float:
    """Say how good an evaluation is by its first number, more being better; of shapes by valid share and coverage."""
    if {"valid_share", "mode_coverage"} <= numbers.keys():
        return numbers["valid_share"] * numbers["mode_coverage"]
    name, value = next(iter(numbers.items()))
    return value if name in HIGHER else -value


def _few(fake: Features, real: Features) -> tuple[Tensor, Tensor]:
    """As many rows as scores of quadratic and cubic cost can take, drawn at random."""
    picked = []
    for i, rows in enumerate((_rows(fake), _rows(real))):
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(i))
        picked.append(rows[order[: two_sample.MOST]])
    return picked[0], picked[1]


SHAPES = "shapes"  # read from pixels, without features


def parse(text: str) -> list[str]:
    """Read `fid,is` as names of scores; raises UserError for one that there is not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in (*SCORES, *PIXELS, SHAPES):
            raise missing("metric", name, [*SCORES, *PIXELS, SHAPES])
    if not names:
        raise UserError(f"--metrics names nothing; there are {', '.join([*SCORES, *PIXELS])}")
    return list(dict.fromkeys(names))


def measure(names: list[str], fake: Features, real: Features, *, inception: bool) -> Numbers:
    """Take all scores named; a Frechet distance in features other than Inception's is never called FID."""
    found: Numbers = {}
    for name in names:
        try:
            found |= SCORES[name].of(fake, real)
        except ValueError as error:
            raise UserError(f"--metrics {name}: {error}") from None
    return found if inception else {name.replace("fid", "frechet", 1): value for name, value in found.items()}
