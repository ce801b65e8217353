"""Options to augment what D sees, for GANs that generate images."""

from dataclasses import dataclass
from typing import Literal

from gancli.data.spec import DataSpec
from gancli.hparams import HParams, hparam
from gancli.ops.ada import AdaptiveAugmentation
from gancli.ops.augment import Augmentation

Groups = Literal["blit", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc", "mild"]


@dataclass(frozen=True, kw_only=True)
class AugmentHParams(HParams):
    """Which augmentation."""

    augment: Literal["none", "diffaugment", "ada"] = hparam(
        "none",
        "augment the images that D sees: diffaugment changes colour, moves, and cuts out (Zhao et al. 2020); "
        "ada changes each image with a probability (Karras et al. 2020a)",
    )
    ada: Groups = hparam(
        "bgc",
        "what ada does: b flips, quarter turns and whole pixels, g scale, rotation and fractions of pixels, c colour, "
        "f filters, n noise, c cutout; mild: bg, cutout, and colour half as often, as for R3GAN",
    )
    mirror: bool = hparam(False, "mirror half of the images that D sees, real and generated")


@dataclass(frozen=True, kw_only=True)
class AdaptiveHParams(AugmentHParams):
    """The same, with a probability that is fixed or adapts."""

    ada_p: float | None = hparam(
        None, "probability of each of ada's changes; default: adapted to how much D overfits", min=0, max=1
    )
    ada_target: float = hparam(
        0.6, "mean sign of D's logits of real images that the probability holds, r_t in section 3.1", min=-1, max=1
    )
    ada_kimg: float = hparam(500.0, "length in which the probability can rise from 0 to 1", min=0.001)


def augmentation(hp: AugmentHParams, spec: DataSpec) -> Augmentation:
    """Build what the options ask for; points stay as they are."""
    if spec.points:
        return Augmentation(diff=False, mirror=False)
    return Augmentation(hp.augment == "diffaugment", hp.mirror, _adaptive(hp) if hp.augment == "ada" else None)


def _adaptive(hp: AugmentHParams) -> AdaptiveAugmentation:
    if not isinstance(hp, AdaptiveHParams):
        return AdaptiveAugmentation(hp.ada)
    return AdaptiveAugmentation(hp.ada, hp.ada_p or 0.0, hp.ada_target, hp.ada_kimg)
