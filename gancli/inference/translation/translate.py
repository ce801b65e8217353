"""Translate images: files, folders, globs and standard input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.gan import GAN, Fills, Translates
from gancli.images import roundtrip
from gancli.images.pixels import to_picture, to_pixels
from gancli.inference.translation import tiles
from gancli.inference.translation.jobs import TranslationRequest, plan
from gancli.inference.translation.pipeline import Draw, pipeline
from gancli.system.devices import choose_device
from gancli.system.seeds import seed_all


@dataclass(frozen=True)
class Done:
    """The outcome of a translation."""

    written: list[Path]
    skipped: list[Path]
    failed: dict[str, str]  # name to reason
    hint: str | None  # how to get a better result


def translate(request: TranslationRequest, device: str, progress: Callable[[int, int], None] | None = None) -> Done:
    """Translate all images of a request; an image that fails does not stop the others.

    Raise UserError if there is nothing to translate, or the model is not a translator.
    """
    model = find_model(request.model)
    gan = load_model(model)
    draw = _drawing(gan, model.about.variant, request, choose_device(device))
    sides: list[int] = []

    def measured(picture: Image.Image) -> Image.Image:
        sides.append(min(picture.size))
        return draw(picture)

    jobs = plan(request, model.name)
    there = [job.out for job in jobs if job.out and job.out.exists() and not request.overwrite]
    jobs = [job for job in jobs if job.out not in there]
    about = {"variant": model.about.variant, "model": str(model.path), "sha256": model.fingerprint}
    about |= {"direction": request.direction, "mask": request.mask, "seed": request.seed}
    written, failed = [], {}
    for job, outcome in pipeline(jobs, request, measured, about):
        if outcome is None:
            written += [job.out] if job.out else []
        else:
            failed[job.name] = outcome
        if progress:
            progress(len(written) + len(failed), len(jobs))
    known = min(gan.spec.height, gan.spec.width)
    larger = request.mask is None and request.size is None and max(sides, default=0) >= 2 * known
    hint = f"{model.name} was trained at {known} pixels per side: --size {known} may look better"
    return Done(written, there, failed, hint if larger else None)


# ------------------------------------------------------------------------------------------------ the model


def _drawing(gan: GAN[Any], variant: str, request: TranslationRequest, device: torch.device) -> Draw:
    """Return the function that translates one image; raise UserError if the model cannot do what was requested."""
    gan = gan.to(device)
    channels = gan.spec.channels
    if request.mask is not None:
        if not isinstance(gan, Fills):
            raise UserError(f"--mask: {variant} does not fill holes; leave it out")
        mask = request.mask
        return lambda picture: _filled(gan, picture, roundtrip.hole(mask, picture.size), channels)
    if not isinstance(gan, Translates):
        if isinstance(gan, Fills):
            raise UserError(f"{variant} fills holes: give --mask x,y,w,h or --mask FILE")
        raise UserError(f"{variant} does not translate images: try `gancli sample`")
    direction = choose_direction(request.direction, gan.directions, gan.spec.domains)
    if request.seed is not None:
        _make_noisy(gan, variant, request.seed)

    @torch.inference_mode()
    def draw(picture: Image.Image) -> Image.Image:
        if request.seed is not None:
            seed_all("translate", request.seed)  # so an image's noise does not depend on the images before it
        image = roundtrip.to_tensor(picture, channels).to(device)
        drawn = tiles.apply(lambda x: gan.translate(x, direction), gan, image, gan.multiple, request.tile)
        return to_picture(to_pixels(drawn)[0])

    return draw


def _make_noisy(gan: GAN[Any], variant: str, seed: int) -> None:
    noisy = [m for m in gan.modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    if not noisy:
        raise UserError(f"--seed {seed}: {variant} is deterministic; leave out --seed")
    for module in noisy:
        module.train()


@torch.inference_mode()
def _filled(gan: Any, picture: Image.Image, hole: Image.Image, channels: int) -> Image.Image:
    """Fill the hole at the model's own size, and paste only the hole back into the image."""
    size = gan.spec.width, gan.spec.height
    image = roundtrip.to_tensor(picture.resize(size, Image.Resampling.LANCZOS), channels).to(gan.device)
    mask = roundtrip.to_tensor(hole.resize(size, Image.Resampling.BOX), 1).to(gan.device)
    drawn = to_picture(to_pixels(gan.fill(image, (mask > -1).float()))[0])
    filled = drawn.convert(picture.mode).resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(filled, picture, hole)


def choose_direction(given: str | None, directions: Sequence[str], domains: Sequence[str]) -> str:
    """Parse a direction: AB or BA, the target domain, or both domains as in horse2zebra; default to the first."""
    if given is None:
        return directions[0]
    known = {direction.lower(): direction for direction in directions}
    if len(domains) == 2:
        a, b = (domain.lower() for domain in domains)
        for direction, (source, target) in {"AB": (a, b), "BA": (b, a)}.items():
            if direction in directions:
                known |= {f"{source}2{target}": direction, target: direction}
    if given.lower() not in known:
        raise UserError(f"--direction {given}: give one of {', '.join(known)}")
    return known[given.lower()]
