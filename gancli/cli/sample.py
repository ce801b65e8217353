"""`gancli sample MODEL`: images from a checkpoint, one a seed."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from gancli.errors import UserError

MODEL = typer.Argument(metavar="MODEL", help="A checkpoint, a run folder, a run under ./runs, or a published name.")
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or mps.")]


def command(
    model: Annotated[str | None, MODEL] = None,
    n: Annotated[int, typer.Option("-n", help="How many images: seeds 0 to n - 1.", min=1)] = 64,
    seeds: Annotated[str | None, typer.Option(help="Seeds, such as 0-15,40: each means one image.")] = None,
    truncation: Annotated[
        float | None, typer.Option(help="Draw latents nearer to the middle: quality for variety.", min=0)
    ] = None,
    out: Annotated[Path, typer.Option(help="A .png (one grid), an .npz, or a folder/ (a file a seed).")] = Path(
        "samples.png"
    ),
    cols: Annotated[int | None, typer.Option(help="Columns of the grid.", min=1)] = None,
    like: Annotated[Path | None, typer.Option(help="Draw a PNG of gancli sample again.")] = None,
    best: Annotated[bool, typer.Option("--best", help="The run's best checkpoint, not its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Draw images from a checkpoint. Seed i means the same image for any number of images."""
    from gancli import sampling

    if like is not None:
        request = sampling.repeat(like, model)
    elif model is None:
        raise UserError("name a MODEL: a checkpoint, a run folder, or a run under ./runs")
    else:
        request = sampling.Request(model, sampling.parse_seeds(seeds, n), truncation, cols)
    written = sampling.sample(request, out, device, best=best)
    if json:
        print(json_format.dumps({"files": [str(path) for path in written], "seeds": list(request.seeds)}))
    else:
        print(out if len(written) > 1 else written[0])
