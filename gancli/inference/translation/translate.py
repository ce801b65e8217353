"""Translate images: files, folders, globs and standard input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gancli.capabilities import Changes, DrawsLabels, Enlarges, Fills, Translates
from gancli.checkpoints import published
from gancli.checkpoints.find import Model, find_model, only_published
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.images import roundtrip
from gancli.images.pixels import Canvas, to_picture, to_pixels
from gancli.inference.translation import label_maps, tiles
from gancli.inference.translation.existing import Sorted, sort
from gancli.inference.translation.jobs import TranslationRequest, plan
from gancli.inference.translation.pipeline import Draw, pipeline
from gancli.system.devices import choose_device
from gancli.system.seeds import seed_all

LARGEST, MOST = 1024, 2048  # pixels per side of a tile, and of what an enlarger makes of it; both are if none is given


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
    if does := only_published(request.model):
        _check_before_download(request, does)
    model = find_model(request.model)
    gan = load_model(model)
    if request.denoise is not None:
        blend(gan, request.model, request.denoise)
    draw = _drawing(gan, model.about.variant, request, choose_device(device))
    sides: list[int] = []

    def measured(picture: Image.Image) -> Image.Image:
        sides.append(min(picture.size))
        return draw(picture)

    jobs = plan(request, model.name)
    found = Sorted(jobs, [], {}) if request.overwrite else sort(jobs)
    written, failed = [], dict(found.taken)
    for job, outcome in pipeline(found.open, request, measured, _about(request, model)):
        if outcome is None:
            written += [job.out] if job.out else []
        else:
            failed[job.name] = outcome
        if progress:
            progress(len(written) + len(failed), len(found.open) + len(found.taken))
    hint = _hint(gan, model.name, request, max(sides, default=0))
    return Done(written, [job.out for job in found.done if job.out], failed, hint)


def _about(request: TranslationRequest, model: Model) -> dict[str, Any]:
    """Return what an output's metadata say, apart from its source."""
    asked = {name: getattr(request, name) for name in ("direction", "mask", "seed", "attributes", "denoise")}
    origin = {"variant": model.about.variant, "model": str(model.path), "sha256": model.fingerprint}
    return origin | asked | request.view.said


def _hint(gan: GAN[Any], name: str, request: TranslationRequest, largest: int) -> str | None:
    """Return the size to give for images much larger than a model was trained on, unless any size suits it."""
    known = min(gan.spec.height, gan.spec.width)
    fixed = request.mask is not None or request.size is not None or isinstance(gan, Enlarges | DrawsLabels)
    if fixed or largest < 2 * known:
        return None
    return f"{name} was trained at {known} pixels per side: --size {known} may look better"


# ------------------------------------------------------------------------------------------------ the model


@torch.no_grad()
def blend(gan: GAN[Any], name: str, share: float) -> None:
    """Blend a model with the one that leaves noise in: the weights become `share` of its own, and the rest of those.

    Real-ESRGAN's authors trained both for it. Raise UserError for a model without such a partner.
    """
    known = published.find(name)
    if known is None or known.blends is None:
        able = ", ".join(model.name for model in published.MODELS if model.blends)
        raise UserError(f"--denoise works only with {able}; leave it out")
    other = load_model(find_model(known.blends))
    for own, its in zip(gan.parameters(), other.parameters(), strict=True):
        own.lerp_(its, 1 - share)


def _drawing(gan: GAN[Any], variant: str, request: TranslationRequest, device: torch.device) -> Draw:
    """Return the function that translates one image; raise UserError if the model cannot do what was requested."""
    gan = gan.to(device)
    if request.mask is not None:
        return _filling(gan, variant, request.mask)
    if isinstance(gan, DrawsLabels):
        return label_maps.drawing(gan, request.size)
    if isinstance(gan, Changes):
        wanted = attributes(request.attributes, gan.attributes)
        return _by(gan, lambda x: gan.change(x, wanted.to(x).expand(len(x), -1)), request.tile)
    if request.attributes is not None:
        raise UserError(f"--attributes: {variant} has none; leave it out")
    if not isinstance(gan, Translates):
        fills = isinstance(gan, Fills)
        does = (
            "fills holes: give --mask x,y,w,h or --mask FILE"
            if fills
            else "does not translate images: try `gancli sample`"
        )
        raise UserError(f"{variant} {does}")
    direction = choose_direction(request.direction, gan.directions, gan.spec.domains)
    if request.seed is not None:
        _make_noisy(gan, variant, request.seed)
    return _by(gan, lambda x: gan.translate(x, direction), request.tile, request.seed)


def _filling(gan: GAN[Any], variant: str, mask: str) -> Draw:
    if not isinstance(gan, Fills):
        raise UserError(f"--mask: {variant} does not fill holes; leave it out")
    channels = gan.spec.channels
    return lambda picture: _filled(gan, picture, roundtrip.hole(mask, picture.size), channels)


def _by(gan: Any, network: tiles.Network, tile: int | None, seed: int | None = None) -> Draw:
    """Return the function that runs an image through a network."""
    scale = _scale(gan)
    largest = tile or min(LARGEST, MOST // scale)

    @torch.inference_mode()
    def draw(picture: Image.Image) -> Image.Image:
        if seed is not None:
            seed_all("translate", seed)  # so an image's noise does not depend on the images before it
        if scale > 1 and gan.spec.channels < 4:
            picture = picture.convert("RGB")  # an enlarger keeps the colours that alpha hides
        image = roundtrip.to_tensor(picture, gan.spec.channels).to(gan.device)
        canvas = Canvas(scale * picture.width, scale * picture.height)
        tiles.run(canvas.add, network, gan, image, gan.multiple, largest, scale)
        return canvas.picture

    return draw


def _scale(gan: GAN[Any]) -> int:
    return gan.scale if isinstance(gan, Enlarges) else 1


def attributes(given: str | None, count: int) -> Tensor:
    """Read --attributes, such as 1,0,0,1,0, as a row (1, A); raise UserError for another number than the model's."""
    values = (given or "").split(",")
    if len(values) != count or not {*values} <= {"0", "1"}:
        example = ",".join(str(i % 2) for i in range(count))
        said = "this model needs --attributes" if given is None else f"--attributes {given} does not fit this model"
        raise UserError(f"{said}: give 0 or 1 for each of its {count}, such as {example}")
    return torch.tensor([[float(value) for value in values]])


def _check_before_download(request: TranslationRequest, does: str) -> None:
    """Raise UserError for what a published model that does this cannot, and if there is nothing to translate."""
    if does == "sample":
        raise UserError(f"{request.model} does not translate images: try `gancli sample`")
    if request.mask is not None:
        raise UserError(f"--mask: {request.model} does not fill holes; leave it out")
    jobs = plan(request, request.model)
    missing = [job.name for job in jobs if job.source and not job.source.exists()]
    if len(missing) == len(jobs):
        raise UserError(f"{missing[0]}: no such file")


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
