"""`gancli interpolate MODEL`: walks through the latent space."""

import json as json_format
from pathlib import Path
from typing import Annotated, Literal

import typer

from gancli.cli.sample import MODEL, Device


def command(
    model: Annotated[str, MODEL],
    seeds: Annotated[str, typer.Option(help="Seeds to walk through, in this order.")] = "0,1,2,3",
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
    grid: Annotated[bool, typer.Option("--grid", help="A still grid between four seeds, one at each corner.")] = False,
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
    from gancli import sampling

    path = sampling.Walk(sampling.parse_seeds(seeds, 0), frames, mode, axis, reach, grid, strip, loop, fps, of_class)
    written = sampling.interpolate(model, path, out, device, best=best)
    print(json_format.dumps({"files": [str(written)], "frames": frames}) if json else written)
