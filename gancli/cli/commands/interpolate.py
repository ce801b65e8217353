"""`gancli interpolate MODEL`: walk through the latent space."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gancli.cli.arguments import MODEL, Device
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json


def command(
    model: Annotated[str, MODEL],
    more: Annotated[list[Path] | None, typer.Argument(metavar="IMAGE", help="More images for --images.")] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to interpolate between, in this order; default: 0,1,2,3.")
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Images to interpolate between, for models with an encoder: --images a.png b.png."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Number of frames in total.", min=2)] = 60,
    mode: Annotated[
        Literal["slerp", "lerp"],
        typer.Option(help="slerp: along arcs in the noise, straight in labels and codes; lerp: straight in all."),
    ] = "slerp",
    axis: Annotated[
        int | None, typer.Option(help="Change only this latent axis, starting from the first seed.", min=0)
    ] = None,
    reach: Annotated[float, typer.Option(help="How far to move along --axis in both directions.", min=0)] = 3.0,
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
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Interpolate between images in latent space.

    Write an animation or a still image.
    """
    from gancli.inference.sampling.draw import parse_seeds
    from gancli.inference.sampling.interpolate import Walk, interpolate

    if more and not images:
        raise UserError(f"{more[0]}: interpolate takes one MODEL; give images after --images")
    stops = None if seeds is None else parse_seeds(seeds, 0)
    photos = (*(images or ()), *(more or ()))  # an option takes one value, so further images arrive as arguments
    path = Walk(stops, photos, frames, mode, axis, reach, grid, strip, loop, fps, of_class, truncation)
    written = interpolate(model, path, out, device, best=best)
    if json:
        say_json({"files": [str(written)], "frames": frames})
    else:
        say(written)
