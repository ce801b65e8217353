"""Options to augment the images that D sees, for all GANs that generate images from noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gancli.data.spec import DataSpec
from gancli.hparams import HParams, hparam
from gancli.ops.ada import AdaptiveAugmentation
from gancli.ops.augment import Augmentation

Groups = Literal["blit", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc", "mild"]
TINY = 16  # pixels per side up to which images are not augmented
OFTEN = 200  # times that D sees each image; on a short run augmentation only costs: docs/quick.md


@dataclass(frozen=True, kw_only=True)
class MirrorHParams(HParams):
    """Whether to mirror."""

    mirror: bool = hparam(False, "mirror half of the images that D sees, real and generated")


@dataclass(frozen=True, kw_only=True)
class DiffAugmentHParams(MirrorHParams):
    """Which augmentation, of those that need no probability."""

    augment: Literal["none", "diffaugment"] = hparam(
        "none", "augment the images that D sees: diffaugment changes colour, moves, and cuts out (Zhao et al. 2020)"
    )


@dataclass(frozen=True, kw_only=True)
class AugmentHParams(MirrorHParams):
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


@dataclass(frozen=True, kw_only=True)
class AdaptiveHParams(AugmentHParams):
    """The same, with a probability that is fixed or adapts."""

    ada_p: float | None = hparam(
        None, "probability of each of ada's changes; default: adapted to how much D overfits", min=0, max=1
    )
    ada_target: float = hparam(
        0.6, "mean sign of D's logits of real images that the probability holds, r_t in section 3.1", min=-1, max=1
    )
    ada_kimg: float | None = hparam(
        None,
        "length in which the probability can rise from 0 to 1; default: 500 kimg, or a fifth of --kimg if that is less",
        min=0.001,
    )


def augmentation(hp: HParams, spec: DataSpec) -> Augmentation:
    """Build what the options ask for, if the variant has any; points stay as they are."""
    if spec.points or not isinstance(hp, DiffAugmentHParams | AugmentHParams):
        return Augmentation(diff=False, mirror=False)
    return Augmentation(hp.augment == "diffaugment", hp.mirror, _adaptive(hp))


def _adaptive(hp: HParams) -> AdaptiveAugmentation | None:
    if not isinstance(hp, AugmentHParams) or hp.augment != "ada":
        return None
    if not isinstance(hp, AdaptiveHParams):
        return AdaptiveAugmentation(hp.ada)
    if hp.ada_p is not None:
        return AdaptiveAugmentation(hp.ada, hp.ada_p)
    kimg = min(500.0, max(hp.kimg / 5, 0.001)) if hp.ada_kimg is None else hp.ada_kimg
    return AdaptiveAugmentation(hp.ada, 0.0, hp.ada_target, kimg)


def for_few(spec: DataSpec, epochs: float, augment: str) -> Mapping[str, Any]:
    """Return the settings for few images: colour photographs are mirrored, letters are not.

    Images that D sees so often that it could memorise them are also augmented, as `augment` says.
    """
    if min(spec.height, spec.width) <= TINY:
        return {}
    return {"mirror": spec.channels >= 3, **({"augment": augment} if epochs > OFTEN else {})}
