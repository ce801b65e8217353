"""`gancli interpolate MODEL`: walk through the latent space."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from gancli.cli.arguments import MODEL, Captions, Device, Scale, check_needs
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json


def command(
    context: typer.Context,
    model: Annotated[str, MODEL],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE|LATENT", help="More images for --images, and .latent files.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to interpolate between, in this order; default: 0,1,2,3.")
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            help="Images to interpolate between: --images a.png b.png, or a folder. Their latents are encoded, or "
            "found by optimisation, and saved beside the output."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Number of frames in total.", min=2)] = 60,
    mode: Annotated[
        Literal["slerp", "lerp"],
        typer.Option(help="slerp: along arcs in the noise, straight in labels and codes; lerp: straight in all."),
    ] = "slerp",
    axis: Annotated[
        int | None, typer.Option(help="Change only this latent axis, starting from the first seed.", min=0)
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|NAME",
            help="Move along a direction that gancli sample --directions shows, counted from 0, or along a named one, "
            "through the first seed or image.",
        ),
    ] = None,
    by: Annotated[
        Literal["sefa", "pca"],
        typer.Option(help="How directions are found: sefa, from weights; pca, from activations (GANSpace)."),
    ] = "sefa",
    name: Annotated[
        str | None, typer.Option(help="Save the direction in the run folder under this name, for --direction NAME.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="coarse|middle|fine|4-7",
            help="Style layers that --direction, or else --truncation, moves; default: all.",
        ),
    ] = None,
    reach: Annotated[
        float,
        typer.Option(
            help="How far to move both ways: along --axis, or along --direction in standard deviations.", min=0
        ),
    ] = 3.0,
    space: Annotated[
        Literal["z", "w", "w+"] | None,
        typer.Option(help="Where to walk, and where images are projected; default: w for style models, else z."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimisation steps to project an image.", min=0)] = 300,
    of_class: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="NAME[:NAME…]|all",
            help="Go from class to class at the first seed, or stay within one class.",
        ),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(help="Truncate the samples of the seeds, as gancli sample does; the frames between them follow."),
    ] = None,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid", help="Write a still grid: the plane of a 2-D latent, otherwise between four corner images."
        ),
    ] = False,
    strip: Annotated[
        bool, typer.Option("--strip", help="Write the frames as one still strip instead of an animation.")
    ] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Return to the first seed at the end.")] = False,
    fps: Annotated[float, typer.Option(help="Frames per second.", min=1)] = 25,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output: .gif, .webp, .png (animated), .mp4 or a folder; default: walk.gif, or walk.png for a still."
        ),
    ] = None,
    scale: Scale = 1,
    captions: Captions = False,
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Interpolate between images in latent space.

    Write an animation or a still image.
    """
    from gancli.images.sheets import View
    from gancli.inference.sampling.draw import parse_seeds
    from gancli.inference.sampling.walks.interpolate import interpolate
    from gancli.inference.sampling.walks.walk import Walk

    # an option takes one value, so further images arrive as arguments
    photos, saved = _images_and_latents([*(images or ()), *(more or ())], named=bool(images))
    if axis is not None and direction is not None:
        raise UserError("--axis and --direction cannot be combined: give one of them")
    if name is not None and direction is None:
        raise UserError(f"--name {name} names a direction: give --direction NUMBER too")
    check_needs(context, ({} if direction else {"by": "--direction"}) | ({} if photos else {"steps": "--images"}))
    path = Walk(
        seeds=None if seeds is None else parse_seeds(seeds, 0), photos=photos, saved=saved, frames=frames, mode=mode,
        axis=axis, reach=reach, grid=grid, strip=strip, loop=loop, fps=fps, classes=of_class, truncation=truncation,
        space=space, layers=layers, direction=direction, by=by, name=name, steps=steps,
    )  # fmt: skip
    written = interpolate(model, path, out, device, best=best, view=View(scale, captions))
    if json:
        say_json({"files": [str(written)], "frames": frames})
    else:
        say(written)


def _images_and_latents(paths: Sequence[Path], *, named: bool) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return images, among which there may be saved latents, or else saved latents alone, which may follow seeds.

    Raise UserError for images without --images.
    """
    from gancli.inference.sampling.latents import SUFFIX

    photos = [path for path in paths if path.suffix != SUFFIX]
    if photos and not named:
        raise UserError(f"{photos[0]}: interpolate takes one MODEL; give images after --images")
    return (tuple(paths), ()) if photos else ((), tuple(paths))
