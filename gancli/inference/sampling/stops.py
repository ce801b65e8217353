"""The latents that commands start from: those of seeds, saved latents, and images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gancli.capabilities import Encodes
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference import user_images
from gancli.inference.sampling import latents
from gancli.inference.sampling.draw import parse_seeds
from gancli.inference.sampling.projection import Projected, Projecting, error_of, project
from gancli.inference.sampling.styles import steered, styles_of
from gancli.inference.sampling.truncation import chooser
from gancli.inference.user_images import pictures_in
from gancli.system.untrusted.names import expanded
from gancli.system.untrusted.terminal import tell

Stop = int | Path  # a seed, or the file of a saved latent


# ------------------------------------------------------------------------------------- seeds and saved latents


def parse_stops(text: str, option: str) -> tuple[Stop, ...]:
    """Parse seeds and saved latents such as `0-3,face.latent`; raise UserError for anything else."""
    stops: list[Stop] = []
    for part in text.split(","):
        if part.strip().endswith(latents.SUFFIX):
            stops.append(Path(part.strip()))
            continue
        try:
            stops += parse_seeds(part, 0)
        except UserError:
            raise UserError(
                f"{option} {text}: give seeds such as 0-3,8, or {latents.SUFFIX} files, separated by commas"
            ) from None
    return tuple(stops)


def styles_at(
    gan: GAN[Any], model: Model, stops: Sequence[Stop], truncation: float | None, label: int | None
) -> Tensor:
    """Return the styles (S, L, W) of seeds, truncated and of a class, and of saved latents."""
    choose = chooser(gan, model, truncation)
    return torch.cat(
        [
            in_styles(gan, latents.load(stop, gan, model)[0])
            if isinstance(stop, Path)
            else in_styles(gan, steered(gan, choose(stop, label), truncation))
            for stop in stops
        ]
    )


def in_styles(gan: GAN[Any], latent: Tensor) -> Tensor:
    """Return the styles (N, L, W) of latents (N, Z), or of styles themselves."""
    return latent if latent.dim() == 3 else styles_of(gan, latent)


# ------------------------------------------------------------------------------------------------- images


class Photo(NamedTuple):
    """An image of the user's, whose latent is not known yet."""

    path: Path
    image: Tensor  # (1, C, H, W) in [-1, 1]


@dataclass(frozen=True)
class Finding:
    """How the latents of images are found, and where they are saved."""

    how: Projecting
    device: torch.device
    out: Path  # of the command: a file beside which latents are saved, or a folder


def read_files(gan: GAN[Any], model: Model, paths: Sequence[Path], option: str) -> list[Tensor | Photo]:
    """Read images, folders of images, and saved latents (1, Z) or (1, L, W); raise UserError for anything else."""
    given: list[Tensor | Photo] = []
    for path in paths:
        if path.suffix == latents.SUFFIX:
            given.append(latents.load(path, gan, model)[0])
        else:
            given += [Photo(name, image[None]) for name, image in user_images.images_at(path, gan.spec, option)]
    return given


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the captions of the same files: their names without the ending."""
    files = (
        [path] if path.suffix == latents.SUFFIX else [Path(item.name) for item in pictures_in(expanded(path))]
        for path in paths
    )
    return [file.stem for some in files for file in some]


def found(gan: GAN[Any], model: Model, given: Sequence[Tensor | Photo], finding: Finding) -> list[Tensor]:
    """Return the latents, (1, Z) or (1, L, W), of images and latents; save those that had to be found."""
    photos = [one for one in given if isinstance(one, Photo)]
    places = iter(_places(finding.out, [photo.path for photo in photos]))
    return [_found(gan, model, one, finding, next(places)) if isinstance(one, Photo) else one for one in given]


def _found(gan: GAN[Any], model: Model, photo: Photo, finding: Finding, place: Path) -> Tensor:
    """Find the latent of an image, say how far away it is, and save it."""
    latent, space, error = _encoded(gan, photo.image) or project(gan, photo.image, finding.how, finding.device)
    name = photo.path.name
    latents.save(
        place, latent[0], latents.SavedAbout(space, model.about.variant, model.fingerprint, source=name, error=error)
    )
    tell(f"{name}: error {error:.4f} (root mean square of pixels from 0 to 1), latent in {space} saved as {place}")
    return latents.load(place, gan, model)[0]


def _encoded(gan: GAN[Any], image: Tensor) -> Projected | None:
    """Encode an image, with a model that can."""
    if not isinstance(gan, Encodes):
        return None
    with torch.no_grad():
        z = gan.encode(image)
    return Projected(z, "z", error_of(gan, z, image))


def _places(out: Path, paths: Sequence[Path]) -> list[Path]:
    """Name the files of images' latents, in or beside the output; images of one name get numbers."""
    folder, head = (out.parent, f"{out.stem}-") if out.suffix else (out, "")
    places: list[Path] = []
    for path in paths:
        names = (f"{head}{path.stem}{number}{latents.SUFFIX}" for number in ("", *(f"-{i}" for i in range(2, 10**6))))
        places.append(next(folder / name for name in names if folder / name not in places))
    return places
