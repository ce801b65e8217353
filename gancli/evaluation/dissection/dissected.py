"""The dissection of one layer."""

from dataclasses import dataclass

from gancli.evaluation.dissection.effects import Effect
from gancli.evaluation.dissection.layers import FeatureMaps
from gancli.evaluation.dissection.survey import Tally
from gancli.metrics.dissection import MATCHED, Match


@dataclass(frozen=True)
class Dissected:
    """A layer, its units' matches with the concepts that are present (U, C), and the effects of the best ones."""

    tally: Tally
    names: tuple[str, ...]
    match: Match
    effects: list[Effect]

    @property
    def layer(self) -> FeatureMaps:
        """Return the layer."""
        return self.tally.layer

    @property
    def best(self) -> list[tuple[str, int]]:
        """List the concepts with the unit that matches each best, the best match first."""
        iou, unit = self.match.iou.max(0)
        return [(self.names[c], int(unit[c])) for c in iou.argsort(descending=True, stable=True).tolist()]

    def scores(self, concept: str, unit: int) -> dict[str, float]:
        """Return how a unit matches a concept."""
        c = self.names.index(concept)
        return {name: float(table[unit, c]) for name, table in self.match._asdict().items()}

    @property
    def matched(self) -> int:
        """Return how many units detect a concept."""
        return int((self.match.iou.amax(1) > MATCHED).sum())
