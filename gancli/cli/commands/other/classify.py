"""`gancli classify MODEL IMAGE…`: predict the class of every image, as CSV."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import MODEL, Device
from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json


def command(
    model: Annotated[str, MODEL],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Images, or folders or archives of images.")],
    out: Annotated[Path | None, typer.Option(help="Output .csv; default: standard output.")] = None,
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict the class of every image.

    Print file, class and probability.
    """
    from gancli.inference.classify import classify, to_csv
    from gancli.system import atomic

    if out is not None and out.suffix.lower() != ".csv":
        raise UserError(f"--out {out} is not a .csv file: give a name that ends in .csv")
    if out is not None:
        atomic.check_place(out)
    found = classify(model, images, device, best=best)
    if out is not None:
        atomic.write_text(out, to_csv(found))
    if json:
        rows = [{"file": n.file, "class": n.of_class, "probability": n.probability} for n in found]
        say_json({"images": rows})
    elif out is not None:
        say(out)
    else:
        for row in to_csv(found).splitlines():
            say(row)
