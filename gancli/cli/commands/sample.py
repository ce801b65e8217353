"""`gancli sample MODEL`: generate images from a checkpoint, one per seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from gancli.cli.arguments import MODEL, Captions, Device, Scale, check_needs
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json

NEEDS = {"spread": "--near", "space": "--near", "steps": "--near", "by": "--directions", "reach": "--directions"}


def command(
    context: typer.Context,
    model: Annotated[str | None, MODEL] = None,
    n: Annotated[
        int | None,
        typer.Option("-n", help="Number of images: seeds 0 to n - 1; default: 64; 8 per class or image.", min=1),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds, such as 0-15,40; a seed always gives the same image.")
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(
            help="Trade diversity for quality: keep this share of samples, those that the discriminator rates highest; "
            "1: all. Style models move w towards its mean: 0 is the mean, 1 off. gancli info shows how a model "
            "truncates."
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="coarse|middle|fine|4-7",
            help="Style layers that --mix takes from the columns (default: coarse), or that --truncation or "
            "--directions moves (default: all).",
        ),
    ] = None,
    of_class: Annotated[
        str | None, typer.Option("--class", metavar="NAME|all", help="Class to generate, or all (one row per class).")
    ] = None,
    seed_scheme: Annotated[
        Literal["gancli", "nvlabs"] | None,
        typer.Option(help="How a seed becomes an image: gancli, or nvlabs, as in NVlabs' scripts; default: gancli."),
    ] = None,
    mix: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="ROWS COLS",
            help="Mix styles in a table: the rows' images with layers of the columns'. Both are seeds, such as 0-3, or "
            ".latent files, separated by commas.",
        ),
    ] = None,
    near: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="IMAGE|DIR|LATENT",
            help="Generate variations of an image, of each in a folder, or of a .latent file. The latent of an image "
            "is encoded, or found by optimisation, and saved beside the output; repeatable.",
        ),
    ] = None,
    spread: Annotated[
        float, typer.Option(help="With --near: 0 gives the image itself, 1 unrelated samples.", min=0, max=1)
    ] = 0.3,
    space: Annotated[
        Literal["z", "w", "w+"] | None,
        typer.Option(help="With --near: where images are projected; default: w for style models, else z."),
    ] = None,
    steps: Annotated[int, typer.Option(help="With --near: optimisation steps per image.", min=0)] = 300,
    directions: Annotated[
        int | None,
        typer.Option(
            help="Show this many directions of the latent space, one row each, through the first seed.", min=1
        ),
    ] = None,
    by: Annotated[
        Literal["sefa", "pca"],
        typer.Option(help="How directions are found: sefa, from weights; pca, from activations (GANSpace)."),
    ] = "sefa",
    reach: Annotated[
        float, typer.Option(help="With --directions: how far to go, in standard deviations of the latents.", min=0)
    ] = 3.0,
    out: Annotated[
        Path,
        typer.Option(
            help="Output: a .png (one grid), an .npz, a folder/ (one file per seed), or - (a grid to standard output)."
        ),
    ] = Path("samples.png"),
    cols: Annotated[int | None, typer.Option(help="Number of columns in the grid.", min=1)] = None,
    like: Annotated[Path | None, typer.Option(help="Generate the images of this PNG from gancli sample again.")] = None,
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    scale: Scale = 1,
    captions: Captions = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate images from a checkpoint.

    A seed gives the same image however many images are generated.
    """
    from gancli.images.sheets import View
    from gancli.images.writing import STANDARD
    from gancli.inference.sampling import editing, mixing
    from gancli.inference.sampling.draw import ALL, parse_seeds
    from gancli.inference.sampling.like import repeat
    from gancli.inference.sampling.sample import SampleRequest, sample

    if json and out == STANDARD:
        raise UserError("--out - and --json both write to standard output: give only one")
    asked = _only(
        {"--like": like, "--mix": mix, "--near": near, "--directions": directions, "--seed-scheme": seed_scheme}
    )
    check_needs(context, {name: option for name, option in NEEDS.items() if option != asked})
    if like is None and model is None:
        raise UserError("name a MODEL: a checkpoint, a run folder, or a run under ./runs")
    drawn = parse_seeds(seeds, n or (8 if of_class == ALL or near else 64))
    name, view = str(model), View(scale, captions)
    match asked:
        case "--mix" if mix:
            _refuse(asked, {"--seeds": seeds, "-n": n, "--cols": cols})
            table = mixing.MixRequest(name, *mix, layers or mixing.COLUMN_LAYERS, truncation, of_class, view)
            written, drawn = [mixing.mix(table, out, device, best=best)], ()
        case "--near" if near:
            _refuse(asked, {"--truncation": truncation, "--layers": layers})
            close = editing.NearRequest(name, tuple(near), drawn, spread, space, steps, cols, of_class, view)
            written = [editing.sample_near(close, out, device, best=best)]
        case "--directions" if directions:
            _refuse(asked, {"-n": n})
            rows = editing.DirectionsRequest(
                name, directions, by, reach, drawn[0], layers, cols, truncation, of_class, view
            )
            written, drawn = [editing.show_directions(rows, out, device, best=best)], drawn[:1]
        case _:
            alone = len(drawn) == 1 and cols is None and of_class != ALL  # a single image has no grid's frame
            scheme = seed_scheme or "gancli"
            request = SampleRequest(name, drawn, truncation, cols, alone, of_class, layers, scheme, view)
            request = repeat(like, model, view, best=best) if like else request
            written, drawn = sample(request, out, device, best=best), request.seeds
    if json:
        say_json({"files": [str(path) for path in written], "seeds": list(drawn)})
    elif out != STANDARD:
        say(out if len(written) > 1 else written[0])


def _only(options: Mapping[str, object]) -> str | None:
    """Return the option that was given; raise UserError for several, which cannot be combined."""
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} cannot be combined: give one of them")
    return given[0] if given else None


def _refuse(option: str, others: Mapping[str, object]) -> None:
    if given := [name for name, value in others.items() if value is not None]:
        raise UserError(f"{option} and {given[0]} cannot be combined: leave {given[0]} out")
