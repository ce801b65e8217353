"""`gancli translate MODEL IMAGE…`: pictures of one domain into pictures of another."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import MODEL, Device
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json, warn


def command(
    model: Annotated[str, MODEL],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE|DIR|GLOB|-…", help="What to translate.")],
    direction: Annotated[
        str | None, typer.Option(help="AB or BA, the domain to go to, or both, such as horse2zebra.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A file or folder; default: NAME.MODEL.png beside one picture, translated/ for many."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Resize first: WIDTHxHEIGHT, or pixels of the shorter side; default: keep.")
    ] = None,
    tile: Annotated[
        int, typer.Option(help="Pictures with more than TILE x TILE pixels go in tiles that are blended.", min=64)
    ] = 1024,
    mask: Annotated[
        str | None, typer.Option(help="The hole to fill: x,y,w,h, or a picture that is light in it.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Use the model's noise (its dropout), drawn from this seed.", min=0)
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Write source and translation side by side.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Translate again what is already there.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Translate pictures: any number, any size, each written with the name, size, alpha and EXIF that it had."""
    from gancli.inference.translation.jobs import TranslationRequest
    from gancli.inference.translation.translate import translate

    request = TranslationRequest(
        model, tuple(images), direction, out, size, tile, mask, seed, compare=compare, overwrite=overwrite
    )
    done = translate(request, device, _progress if sys.stderr.isatty() and not json else None)
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
        those = skipped[0] if len(skipped) == 1 else f"{len(skipped)} pictures"
        warn(f"kept {those}, already there: give --overwrite to translate again")


def _progress(done: int, of: int) -> None:
    if of > 1:
        print(f"\r{done} of {of}", end="\n" if done == of else "", file=sys.stderr, flush=True)
