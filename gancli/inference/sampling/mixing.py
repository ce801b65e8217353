"""Style mixing: Karras et al. 2019, "A Style-Based Generator Architecture", arXiv:1812.04948, section 3.1, figure 3."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gancli.errors import UserError
from gancli.images.sheets import PLAIN, Captions, View, sheet
from gancli.images.writing import save_png
from gancli.inference.sampling.draw import classes_of, draw, label_named, load_sampler, origin_of
from gancli.inference.sampling.stops import Stop, parse_stops, styles_at
from gancli.inference.sampling.styles import parse_layers, styled
from gancli.inference.sampling.truncation import truncated
from gancli.system.devices import choose_device

COLUMN_LAYERS = "coarse"  # the layers that take their styles from the columns, by default


@dataclass(frozen=True)
class MixRequest:
    """A table of mixed styles."""

    model: str
    rows: str  # seeds and saved latents
    columns: str
    layers: str = COLUMN_LAYERS
    truncation: float | None = None
    of_class: str | None = None
    view: View = PLAIN


def mix(request: MixRequest, out: Path, device: str, *, best: bool = False) -> Path:
    """Write a table: sources in its first row and column, and in each cell the row's image with the column's styles."""
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: a table of mixed styles is written as .png: give a .png file")
    rows, columns = (parse_stops(text, "--mix") for text in (request.rows, request.columns))
    model, gan = load_sampler(request.model, best)
    layers = parse_layers(request.layers, styled(gan, "--mix").style_layers)
    label = None if request.of_class is None else label_named(classes_of(gan, model), request.of_class)
    tops, sides = (styles_at(gan, model, stops, request.truncation, label) for stops in (columns, rows))
    gan = gan.to(choose_device(device))
    pixels = draw(gan, table(sides, tops, layers))
    blank = np.full_like(pixels[:1], 255)
    said = {"rows": _said(rows), "columns": _said(columns), "layers": list(layers), "class": request.of_class}
    about = origin_of(model) | truncated(gan, request.truncation) | {"mix": said} | request.view.said
    captions = Captions(("", *_names(rows)), ("", *_names(columns)))
    save_png(sheet(np.concatenate([blank, pixels]), len(columns) + 1, captions, request.view), out, about)
    return out


def table(sides: Tensor, tops: Tensor, layers: tuple[int, ...]) -> Tensor:
    """Return the styles of a table (T, L, W) row by row, without its empty corner, from those of its sources."""
    rows = [tops]
    for side in sides:
        mixed = side.expand(len(tops), -1, -1).clone()
        mixed[:, layers] = tops[:, layers]
        rows += [side[None], mixed]
    return torch.cat(rows)


def _names(stops: tuple[Stop, ...]) -> tuple[str, ...]:
    return tuple(stop.stem if isinstance(stop, Path) else f"seed {stop}" for stop in stops)


def _said(stops: tuple[Stop, ...]) -> list[int | str]:
    return [stop.name if isinstance(stop, Path) else stop for stop in stops]
