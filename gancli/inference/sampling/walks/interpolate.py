"""Interpolate between latents, or between images: write the animation or the still image of a walk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from gancli.errors import UserError
from gancli.images import scatter
from gancli.images.animation import check_suffix, save_frames
from gancli.images.pixels import to_picture
from gancli.images.sheets import PLAIN, View, check_plot, frames, sheet
from gancli.images.writing import save_png
from gancli.inference.sampling.draw import draw, load_sampler, origin_of, plot_of, points_of
from gancli.inference.sampling.truncation import truncated
from gancli.inference.sampling.walks.captions import of_animation, of_still
from gancli.inference.sampling.walks.walk import Walk, frames_of
from gancli.system.devices import choose_device


def interpolate(
    name: str, walk: Walk, out: Path | None, device: str, *, best: bool = False, view: View = PLAIN
) -> Path:
    """Generate the images of a walk and write them; return the path of the file."""
    model, gan = load_sampler(name, best)
    still = walk.grid or walk.strip or gan.spec.points
    out = out or Path("walk.png" if still else "walk.gif")
    if still and out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: a grid, a strip or a walk of a point model is written as .png: give a .png file")
    if not still:
        check_suffix(out)
    if gan.spec.points:
        check_plot(view)
    place = choose_device(device)
    path, columns = frames_of(walk, gan, model, place, out)
    gan = gan.to(place)
    about = origin_of(model) | {"walk": _said(walk, path) | truncated(gan, walk.truncation)}
    about |= view.said
    if gan.spec.points:
        mesh = scatter.Trace(points_of(gan, path), columns if walk.grid else None)
        save_png(scatter.draw(replace(plot_of(model), walk=mesh, scale=view.scale)), out, about)
        return out
    pixels = draw(gan, path)
    if still:
        save_png(sheet(pixels, columns, of_still(walk, gan, path), view), out, about)
    else:
        moving = of_animation(walk, gan)
        save_frames(frames([to_picture(image) for image in pixels], moving, view), out, about, walk.fps)
    return out


def _said(walk: Walk, path: Tensor) -> dict[str, Any]:
    """Return the entries about a walk in an image's metadata."""
    said = {name: value for name, value in vars(walk).items() if name != "fps"}
    files = {name: [path.name for path in said[name]] for name in ("photos", "saved")}
    return said | files | {"space": "w" if path.dim() == 3 else "z"}
