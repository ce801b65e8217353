"""Models of points: their modes are counted; points have no pixels, and so no features."""

from collections.abc import Mapping

from gancli.checkpoints.find import Model
from gancli.data.synthetic.points import MIXTURES, SETS
from gancli.errors import UserError
from gancli.evaluation.image_sets import GeneratedImages
from gancli.evaluation.known_truth import points
from gancli.images import scatter
from gancli.metrics import table


def check_points(data: str | None, metrics: tuple[str, ...], inputs: Mapping[str, Model | None]) -> None:
    """Raise UserError unless points are compared with points, by their modes; `inputs` has a model or None by name."""
    for name, model in inputs.items():
        of_points = model is not None and model.about.spec.points
        if of_points and data not in MIXTURES:
            raise UserError(f"{name} generates points: give --data {' or '.join(MIXTURES)}, whose modes are known")
        if not of_points and data in SETS:
            raise UserError(f"--data {data} is a set of points, but {name} holds images: give other data")
        if of_points and metrics != (table.KNOWN_TRUTH,):
            raise UserError(f"{name} generates points, which have no features: give --metrics {table.KNOWN_TRUTH}")


def score(data: str, generated: GeneratedImages) -> dict[str, float]:
    """Count the modes that the generated points hit, and the share of points near one."""
    return points.score(MIXTURES[data], scatter.to_points(generated.floats()))
