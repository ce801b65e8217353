"""FastCUT: Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", arXiv:2007.15651."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gancli.families.contrastive import ContrastiveHParams, OneWay
from gancli.system import dist


@dataclass(frozen=True, kw_only=True)
class HParams(ContrastiveHParams):
    """Section 4: ten times CUT's weight. In the authors' code, 150 epochs and 50 in which the rate falls."""

    nce: float = 10.0
    kimg: float = 200.0
    decay: float = 0.25


class FastCUT(OneWay):
    """CUT without its identity term: lighter, held by more weight and by mirrored inputs (section 4)."""

    purpose = "translating A to B, lighter than cut"
    hparams = HParams
    quick: ClassVar = {**OneWay.quick, "decay": 0.5}  # minutes are too few to fall within a quarter of them

    def draw(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Mirror every second source before its translation."""
        del b
        coins = dist.rows(lambda n: torch.rand(n, 1, 1, 1, device=a.device), len(a))
        flipped = coins < 0.5
        return {"fake": self.G(torch.where(flipped, a.flip(3), a)).float(), "flipped": flipped}

    def content_terms(self, a: Tensor, b: Tensor, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """Patches are found in the source that was not mirrored."""
        del b
        query = self.G.encoder.features(drawn["fake"])
        upright = [torch.where(drawn["flipped"], layer.flip(3), layer) for layer in query]
        return {"nce": self.hp.nce * self.nce(a, upright)}
