"""`--truncation` trades diversity for quality: how a model truncates, and which latents its seeds then get.

Models with styles move these towards their mean (`styles.steered`). For all others, by default, the share T of samples
that the trained D rates highest is kept: discriminator rejection (Azadi et al. 2019, arXiv:1810.06758; Turner et al.
2019, arXiv:1811.11357) with a threshold in place of a likelihood ratio, which would need a calibrated D. A seed takes
latents from its own random stream, in order, until one is rated high enough, so it gives the same image in any batch.
If a model has classes, the share is kept within each class.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import torch
from msgspec import Meta
from torch import Tensor

import gancli
from gancli.capabilities import Classes, Prepares, Rates, Samples, Truncates
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference.sampling.draw import latent_of
from gancli.inference.sampling.prepare import prepare
from gancli.inference.sampling.styles import TOWARDS_MEAN, check_psi, is_styled, steers
from gancli.system import cache
from gancli.system.seeds import aside, seed_all
from gancli.system.untrusted.door import held_to
from gancli.system.untrusted.terminal import warn

LEAST = 0.01
BY_RATING = "the share of samples that D rates highest"
RATED = 500  # samples per class, or of a model without classes, that determine the threshold
BATCH = 50
ROUNDS = 20  # of 1 / T candidates; the chance that a seed needs more is e^-20

Choose = Callable[[int, int | None], Tensor]  # seed, and label or None -> its latent (1, Z)


def way_of(kind: type[GAN[Any]]) -> str | None:
    """Describe in a phrase how models of a kind truncate; return None if they cannot."""
    own: str | None = getattr(kind, "truncates_by", None)  # if it truncates or rates in another way
    return own or (TOWARDS_MEAN if steers(kind) else BY_RATING if issubclass(kind, Rates) else None)


def refusal(kind: type[GAN[Any]], networks: Collection[str]) -> str | None:
    """Return why a model with these networks cannot be truncated; None if it can."""
    if way_of(kind) is None:
        return f"{kind.__name__} has no discriminator to rate its images, and no other way to truncate"
    if hasattr(kind, "truncated") or steers(kind) or all(name in networks for name in kind.judges):
        return None
    return (
        "the checkpoint holds no discriminator, as it was imported, or an older gancli wrote it, whose run "
        "gancli train --resume continues with a newer one"
    )


def truncated(gan: GAN[Any], truncation: float | None) -> dict[str, Any]:
    """Return the entries about truncation in an image's metadata."""
    return {"truncation": truncation, "truncated_by": None if truncation is None else way_of(type(gan))}


def chooser(gan: GAN[Any], model: Model, truncation: float | None) -> Choose:
    """Return the function from a seed to its latent, on the CPU; raise UserError if the model cannot be truncated."""
    if truncation is None:
        return lambda seed, label: latent_of(gan, seed, label)
    if why := refusal(type(gan), [name for name, _ in gan.named_children()]):
        raise UserError(f"--truncation: {why}; {'or ' * (way_of(type(gan)) is not None)}leave --truncation out")
    if isinstance(gan, Truncates):
        own = gan.truncated
        if isinstance(gan, Prepares):
            prepare(gan, model, truncation)
        return lambda seed, label: latent_of(gan, seed, label, lambda n: own(n, truncation))
    if is_styled(gan):
        check_psi(truncation)
        return chooser(gan, model, None)  # `steered` moves their styles
    if not LEAST <= truncation <= 1:
        raise UserError(f"--truncation {truncation} is not allowed: give the share of samples to keep, {LEAST} to 1")
    return chooser(gan, model, None) if truncation == 1 else _Share(gan, model, truncation).latent_of


# ------------------------------------------------------------------------------------------- the share kept


@dataclass
class _Share:
    """Chooses latents whose samples are in the highest-rated share of their class."""

    gan: GAN[Any]
    model: Model
    share: float
    _thresholds: dict[int, float] = field(default_factory=dict)  # by label, 0 for a model without classes

    def latent_of(self, seed: int, label: int | None) -> Tensor:
        """Return the first latent (1, Z) of a seed's stream that is rated high enough.

        Candidates are rated in batches of one size that depend only on the seed, so rounding cannot make the choice
        depend on other samples. If none is good enough, as when ratings are meaningless, the best one is returned.
        """
        batch = math.ceil(1 / self.share)
        best, least_short = torch.empty(0), math.inf
        seed_all("latent", seed)
        for _ in range(ROUNDS):
            z = torch.cat([latent_of(self.gan, None, label) for _ in range(batch)])
            short = self._threshold_of(z) - rated(self.gan, z)
            if (short <= 0).any():
                return z[(short <= 0).nonzero()[0]]
            if short.min() < least_short:
                best, least_short = z[short.argmin()][None], float(short.min())
        warn(f"--truncation {self.share}: no sample of seed {seed} was rated high enough; using the best one")
        return best

    def _threshold_of(self, z: Tensor) -> Tensor:
        """Return the least ratings (N,) that samples of latents (N, Z) must have."""
        labels = self.gan.label_of(z).tolist() if isinstance(self.gan, Classes) and self.gan.classes else [0] * len(z)
        for label in {*labels} - self._thresholds.keys():
            ratings = _ratings(self.gan, self.model, label)
            self._thresholds[label] = ratings[-max(1, round(self.share * len(ratings)))]
        return torch.tensor([self._thresholds[label] for label in labels], dtype=torch.float64)


@torch.inference_mode()
def rated(gan: GAN[Any], z: Tensor) -> Tensor:
    """Rate the samples of latents (N, Z): finite numbers (N,); a NaN becomes the lowest number."""
    rating = cast(Rates, gan).rate(cast(Samples, gan).generate(z), z)
    if rating.shape != (len(z),):
        raise UserError(
            f"{type(gan).__name__}.rate returns shape {tuple(rating.shape)} for {len(z)} images: it must be ({len(z)},)"
        )
    least = torch.finfo(torch.float32).min
    return rating.float().nan_to_num(least).double()


# ----------------------------------------------------------------------------------------- ratings and thresholds


@dataclass(frozen=True)
class _Ratings:
    """The cached ratings of a class."""

    ratings: Annotated[list[float], Meta(min_length=RATED, max_length=RATED)]


def _ratings(gan: GAN[Any], model: Model, label: int) -> list[float]:
    """Return the ratings of RATED samples of a class, in ascending order: measured once, then cached."""
    entry = cache.entry("ratings", gancli.__version__, model.fingerprint, model.about.source, label)
    if (known := entry.read(lambda kept: held_to(kept.about, _Ratings))) is not None:
        return known.ratings
    ratings = _measured(gan, label)
    try:
        with entry.write() as draft:
            draft.seal({"ratings": ratings})
    except cache.Full as error:  # the ratings can still be used
        warn(f"the ratings of the model's samples were not cached: {error}")
    return ratings


def _measured(gan: GAN[Any], label: int) -> list[float]:
    found = []
    for start in range(0, RATED, BATCH):
        with aside("truncation", label, start):
            z = cast(Samples, gan).prior(BATCH)
        of_class = gan.of_class(z, torch.full((BATCH,), label)) if isinstance(gan, Classes) and gan.classes else z
        found.append(rated(gan, of_class))
    return torch.cat(found).sort().values.tolist()
