"""`gancli sample MODEL`: generate images from a checkpoint, one per seed."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import MODEL, Device
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json


def command(
    model: Annotated[str | None, MODEL] = None,
    n: Annotated[
        int | None, typer.Option("-n", help="Number of images: seeds 0 to n - 1; default: 64, or 8 per class.", min=1)
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds, such as 0-15,40; a seed always gives the same image.")
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(
            help="Trade diversity for quality: keep this share of samples, those that the discriminator rates highest; "
            "1: all. gancli info shows if a model truncates in another way."
        ),
    ] = None,
    of_class: Annotated[
        str | None, typer.Option("--class", metavar="NAME|all", help="Class to generate, or all (one row per class).")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Output: a .png (one grid), an .npz, a folder/ (one file per seed), or - (a grid to standard output)."
        ),
    ] = Path("samples.png"),
    cols: Annotated[int | None, typer.Option(help="Number of columns in the grid.", min=1)] = None,
    like: Annotated[Path | None, typer.Option(help="Generate the images of this PNG from gancli sample again.")] = None,
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate images from a checkpoint.

    A seed gives the same image however many images are generated.
    """
    from gancli.images.writing import STANDARD
    from gancli.inference.sampling.draw import ALL, parse_seeds
    from gancli.inference.sampling.like import repeat
    from gancli.inference.sampling.sample import SampleRequest, sample

    if json and out == STANDARD:
        raise UserError("--out - and --json both write to standard output: give only one")
    if like is not None:
        request = repeat(like, model, best=best)
    elif model is None:
        raise UserError("name a MODEL: a checkpoint, a run folder, or a run under ./runs")
    else:
        drawn = parse_seeds(seeds, n or (8 if of_class == ALL else 64))
        alone = len(drawn) == 1 and cols is None and of_class != ALL  # a single image has no grid's frame
        request = SampleRequest(model, drawn, truncation, cols, alone, of_class)
    written = sample(request, out, device, best=best)
    if json:
        say_json({"files": [str(path) for path in written], "seeds": list(request.seeds)})
    elif out != STANDARD:
        say(out if len(written) > 1 else written[0])
