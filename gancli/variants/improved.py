"""Improved techniques: Salimans et al. 2016, "Improved Techniques for Training GANs", arXiv:1606.03498."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from gancli.data.kinds.images import Images
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.families.noise import ConvHParams, NoiseToImage
from gancli.gan import Clock, Turn
from gancli.hparams import hparam
from gancli.nets import improved
from gancli.ops import losses


@dataclass(frozen=True, kw_only=True)
class HParams(ConvHParams):
    """One option a technique."""

    real_target: float = hparam(0.9, "one-sided label smoothing: D's target for reals (3.4); 1: off", min=0.5, max=1)
    feature_matching: bool = hparam(False, "G matches the mean features of reals, in place of fooling D (3.1)")
    kernels: int = hparam(32, "kernels of minibatch discrimination, B in 3.2; 0: off", min=0)
    history_weight: float = hparam(0.0, "weight of historical averaging (3.3); 0: off", min=0)
    reference: int = hparam(0, "size of the reference batch of G's virtual batch norm (3.5); 0: batch norm", min=0)


class Improved(NoiseToImage[HParams]):
    """Five ways to keep the game near its equilibrium, each an option (section 3)."""

    purpose = "new images; five techniques against collapse"
    hparams = HParams
    D: improved.Discriminator

    def __init__(self, hp: HParams, spec: DataSpec) -> None:
        if spec.points and hp.reference:
            raise UserError("--reference: networks for points have no batch norm")
        super().__init__(hp, spec)
        networks = {"D": self.D, "G": self.G} if hp.history_weight else {}
        self.history = nn.ModuleDict({who: improved.History(network) for who, network in networks.items()})

    def generator(self) -> nn.Module:
        """The family's, or one with virtual batch norm."""
        hp = self.hp
        if hp.reference:
            return improved.VirtualGenerator(hp.z_dim, hp.width, self.spec, hp.reference, hp.mapping)
        return super().generator()

    def discriminator(self) -> nn.Module:
        """One whose features can be matched, and that sees a batch as a whole."""
        return improved.Discriminator(self.hp.width, self.hp.units, self.spec, self.hp.kernels, self.d_norm)

    def play(self, batch: Images, clock: Clock) -> Iterator[Turn]:
        """As everywhere, and with historical averaging each player is drawn to where it was."""
        for turn in super().play(batch, clock):
            if turn.player in self.history:
                history = cast(improved.History, self.history[turn.player])
                turn.terms["history"] = self.hp.history_weight * history.distance(getattr(self, turn.player))
            yield turn

    def moved(self, player: str, means: Mapping[str, Tensor]) -> None:
        """Count the player's new weights in."""
        super().moved(player, means)
        if player in self.history:
            cast(improved.History, self.history[player]).add(getattr(self, player))

    def mixes(self) -> tuple[str, ...]:
        """G may have to match means over the batch."""
        return (*super().mixes(), *(["feature matching"] if self.hp.feature_matching else []))

    def d_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The target of fakes stays 0: smoothed too, it would hold G where it is."""
        return {"adversarial": losses.smoothed(self.D(real), self.D(fake), self.hp.real_target)}

    def rate(self, image: Tensor, z: Tensor) -> Tensor:
        """How real D takes each image for, as if no other were near: a sample's rating must not depend on others."""
        del z
        return self.D.alone(image)

    def g_objective(self, batch: Images) -> dict[str, Tensor]:
        """Fool D, or match the means of its features over the batch."""
        if not self.hp.feature_matching:
            return super().g_objective(batch)
        fake = self.generate(self.prior(len(batch)))
        return {"features": losses.mean_matching(self.D.features(batch.image), self.D.features(fake))}
