"""`gancli interpolate MODEL`: walks through the latent space."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gancli.cli.arguments import MODEL, Device
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json


def command(
    model: Annotated[str, MODEL],
    more: Annotated[list[Path] | None, typer.Argument(metavar="PICTURE", help="More pictures, after --images.")] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to walk through, in this order.", show_default="0,1,2,3")
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Pictures to walk between, of models that encode: --images a.png b.png."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of the whole walk.", min=2)] = 60,
    mode: Annotated[
        Literal["slerp", "lerp"], typer.Option(help="Along arcs, which Gaussian priors want, or straight.")
    ] = "slerp",
    axis: Annotated[
        int | None, typer.Option(help="Move along this latent axis alone, from the first seed.", min=0)
    ] = None,
    reach: Annotated[float, typer.Option(help="How far to move along --axis, to both sides.", min=0)] = 3.0,
    of_class: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME[:NAME…]|all", help="Walk from class to class at the first seed, or within one."
        ),
    ] = None,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid", help="A still grid: of the plane of a 2-D latent, else between four stops, one a corner."
        ),
    ] = False,
    strip: Annotated[bool, typer.Option("--strip", help="A still strip of the frames in place of a film.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Come back to the first seed.")] = False,
    fps: Annotated[float, typer.Option(help="Frames a second.", min=1)] = 25,
    out: Annotated[
        Path | None,
        typer.Option(help="A .gif, .webp, .png (animated), .mp4, or a folder; default: walk.gif, walk.png."),
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="The run's best checkpoint, not its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk between images: one frame after another, from seed to seed."""
    from gancli.inference.sampling.draw import parse_seeds
    from gancli.inference.sampling.interpolate import Walk, interpolate

    if more and not images:
        raise UserError(f"{more[0]}: a walk takes one MODEL, and pictures after --images")
    stops = None if seeds is None else parse_seeds(seeds, 0)
    photos = (*(images or ()), *(more or ()))  # options take one value each: the others come as arguments
    path = Walk(stops, photos, frames, mode, axis, reach, grid, strip, loop, fps, of_class)
    written = interpolate(model, path, out, device, best=best)
    if json:
        say_json({"files": [str(written)], "frames": frames})
    else:
        say(written)
