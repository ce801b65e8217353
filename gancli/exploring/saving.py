"""Save what the page shows, with the command that generates it again.

Every file is written by the function behind that command, so that both give the same pixels.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from gancli.checkpoints import published
from gancli.checkpoints.find import Model
from gancli.checkpoints.run_folder import CHECKPOINTS
from gancli.errors import UserError
from gancli.exploring.explorer import Explorer, neighbours
from gancli.exploring.views import Frame, Kept, Sample, Sheet, Spot, WholeWalk
from gancli.inference.sampling import latents
from gancli.inference.sampling.editing import NearRequest, sample_near
from gancli.inference.sampling.sample import SampleRequest, sample
from gancli.inference.sampling.walks.interpolate import interpolate
from gancli.inference.sampling.walks.walk import Walk
from gancli.system.untrusted.door import check_folder, to_json

FOLDER = "explored"
NUMBERED = re.compile(r"(?:sample|grid|walk)-([0-9]{1,9})\b.*")


class Saved(NamedTuple):
    """A file, and the command that generates the same image."""

    file: Path
    command: str


def folder_of(model: Model) -> Path:
    """Return where images are saved by default: in the run folder, or in the current one for other models."""
    inside = model.path.parent.name == CHECKPOINTS
    return (model.path.parent.parent if inside else Path()) / FOLDER


class SaveFolder:
    """The folder where images of a model are saved, under new names; no file is ever replaced."""

    def __init__(self, explorer: Explorer, name: str, folder: Path) -> None:
        self._explorer, self._folder = explorer, folder
        self._path = str(explorer.model.path)
        # a published name lasts; a run's newest checkpoint changes while it trains
        self._word = name if published.find(name) and not Path(name).exists() else self._path

    def save(self, view: Kept) -> Saved:
        """Save an image, a grid or a walk."""
        check_folder(self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        match view:
            case Sample(spot) if spot.plain:
                return self._samples("sample", (spot,), None)
            case Sheet(spot, side):
                return self._samples("grid", tuple(neighbours(spot, side)), side)
            case Sample(spot):
                return self._edited(self._explorer.latent(spot), view)
            case Frame(pins, frames, at):
                self._check_latents(pins)
                return self._edited(self._explorer.path(pins, frames)[min(at, frames - 1)][None], view)
            case WholeWalk(pins, frames):
                return self._walk(pins, frames)

    def _samples(self, kind: str, spots: tuple[Spot, ...], side: int | None) -> Saved:
        first, last = spots[0], spots[-1]
        seeds = tuple(spot.seed for spot in spots)
        with self._new(kind, ".png") as path:
            request = SampleRequest(self._path, seeds, first.truncation, side, side is None, first.of_class)
            sample(request, path, self._explorer.device)
        said = f"{first.seed}-{last.seed}" if side else f"{first.seed}"
        return self._saved(path, "sample", "--seeds", said, *self._chosen(first), *_option("--cols", side))

    def _edited(self, latent: Tensor, view: Sample | Frame) -> Saved:
        """Save an image whose latent no option can express, with that latent beside it."""
        with self._new("sample", ".png") as path:
            file = self._keep(path.with_suffix(latents.SUFFIX), latent, view)
            sample_near(NearRequest(self._path, (file,), (0,), 0.0), path, self._explorer.device)
        return self._saved(path, "sample", "--near", str(file), "--spread", "0", "-n", "1")

    def _walk(self, pins: tuple[Spot, ...], frames: int) -> Saved:
        """Save a walk as an animation; between seeds if all pins are, or else between saved latents."""
        first = pins[0]
        self._explorer.path(pins, 2)  # refuses what cannot be, before a file is written
        plain = all(pin == Spot(pin.seed, first.of_class, first.truncation) for pin in pins)
        if not plain:
            self._check_latents(pins)
        with self._new("walk", ".gif") as path:
            if plain:
                seeds = tuple(pin.seed for pin in pins)
                walk = Walk(seeds=seeds, frames=frames, classes=first.of_class, truncation=first.truncation)
                stops = ["--seeds", ",".join(map(str, seeds)), *self._chosen(first)]
            else:
                files = tuple(
                    self._keep(path.with_name(f"{path.stem}-{number}{latents.SUFFIX}"), self._explorer.latent(pin), pin)
                    for number, pin in enumerate(pins, 1)
                )
                walk, stops = Walk(saved=files, frames=frames), list(map(str, files))
            interpolate(self._path, walk, path, self._explorer.device)
        return self._saved(path, "interpolate", *stops, "--frames", str(frames))

    def _check_latents(self, spots: tuple[Spot, ...]) -> None:
        """Raise UserError if images of these spots cannot be generated again from their latents."""
        if self._explorer.prepares and any(spot.truncation is not None for spot in spots):
            raise UserError(
                "truncation changes the networks of this model: save a walk between seeds of one class, or turn "
                "truncation off"
            )

    def _keep(self, path: Path, latent: Tensor, source: Kept | Spot) -> Path:
        model, space = self._explorer.model, "z" if latent.dim() == 2 else "w+"
        said = to_json({"explored": repr(source)})
        about = latents.SavedAbout(space, model.about.variant, model.fingerprint, source=said[:4096])
        latents.save(path, latent[0], about)
        return path

    @contextmanager
    def _new(self, kind: str, suffix: str) -> Iterator[Path]:
        """Reserve a new name, of a number that no file here has; an image that cannot be written leaves no file."""
        number = 1 + max((int(found[1]) for path in self._folder.iterdir() if (found := _numbered(path))), default=0)
        path = self._folder / f"{kind}-{number}{suffix}"
        path.open("x").close()  # fails if another process took the name just now
        try:
            yield path
        except BaseException:
            for left in (path, *self._folder.glob(f"{path.stem}*{latents.SUFFIX}")):
                left.unlink(missing_ok=True)
            raise

    def _chosen(self, spot: Spot) -> list[str]:
        return [*_option("--class", spot.of_class), *_option("--truncation", spot.truncation)]

    def _saved(self, path: Path, command: str, *words: str) -> Saved:
        return Saved(path, shlex.join(["gancli", command, self._word, *words, "--out", path.name]))


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _numbered(path: Path) -> re.Match[str] | None:
    return NUMBERED.fullmatch(path.name)
