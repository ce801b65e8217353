"""`gancli translate MODEL IMAGE…`: translate images from one domain to another."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import MODEL, Captions, Device, Scale, check_needs
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json, shows_progress, warn


def command(
    context: typer.Context,
    model: Annotated[str, MODEL],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|DIR|GLOB|-", help="Images to translate: files, folders, patterns, or - for standard input."
        ),
    ],
    direction: Annotated[
        str | None, typer.Option(help="AB, BA, the name of the target domain, or both names, such as horse2zebra.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file or folder; default: NAME.MODEL.png beside a single image, translated/ for several."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Resize first, to WIDTHxHEIGHT or to this shorter side in pixels; default: keep the size."),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            help="Translate images of more than TILE x TILE pixels in overlapping tiles and blend them; default: 1024, "
            "or 512 for enlargement by 4. Layers that use statistics of a whole image get those of patches from all "
            "over it: results differ a little from those in one piece.",
            min=64,
        ),
    ] = None,
    mask: Annotated[str | None, typer.Option(help="Area to fill: x,y,w,h, or a mask image (white = fill).")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed for the model's noise (dropout); default: no noise.", min=0)
    ] = None,
    attributes: Annotated[
        str | None, typer.Option(help="Attributes that the image should have, such as 1,0,0,1,0 (StarGAN).")
    ] = None,
    denoise: Annotated[
        float | None,
        typer.Option(help="How much noise to remove, 0 to 1, with realesr-general-x4v3; default: 1.", min=0, max=1),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Write the source and the translation side by side.")
    ] = False,
    scale: Scale = 1,
    captions: Captions = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing translations.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Translate images to another domain, or enlarge them.

    Take any number of images of any size, and keep the name, size, alpha and EXIF of each.
    """
    from gancli.images.sheets import View
    from gancli.inference.translation.jobs import TranslationRequest
    from gancli.inference.translation.translate import translate

    check_needs(context, {} if compare else {"scale": "--compare", "captions": "--compare"})
    request = TranslationRequest(
        model,
        tuple(images),
        direction,
        out,
        size,
        tile,
        mask,
        seed,
        attributes,
        denoise,
        compare=compare,
        overwrite=overwrite,
        view=View(scale, captions),
    )
    done = translate(request, device, _progress if shows_progress() and not json else None)
    if done.hint:
        warn(done.hint)
    if json:
        files = {"files": [str(p) for p in done.written], "skipped": [str(p) for p in done.skipped]}
        say_json(files | {"failed": done.failed})
    else:
        _tell(done.written, done.skipped)
    if done.failed:
        listed = ", ".join(f"{name} ({why})" for name, why in done.failed.items())
        raise UserError(f"{len(done.failed)} of {len(done.failed) + len(done.written)} not translated: {listed}")


def _tell(written: list[Path], skipped: list[Path]) -> None:
    for path in written:
        say(path)
    if skipped:
        those = skipped[0] if len(skipped) == 1 else f"{len(skipped)} images"
        warn(f"kept existing {those}: give --overwrite to translate again")


def _progress(done: int, of: int) -> None:
    if of > 1:
        print(f"\r{done} of {of}", end="\n" if done == of else "", file=sys.stderr, flush=True)
