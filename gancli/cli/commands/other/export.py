"""`gancli export MODEL --to FILE`: write a model for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import MODEL
from gancli.system.untrusted.terminal import say, say_json


def command(
    model: Annotated[str, MODEL],
    to: Annotated[
        Path,
        typer.Option(
            help="Output: .onnx; .pth for the CycleGAN and pix2pix repository (cyclegan, cut, pix2pix …); or "
            ".safetensors for a checkpoint with only what inference needs."
        ),
    ],
    direction: Annotated[
        str | None, typer.Option(help="Direction, for translators that work both ways: AB, BA or a domain.")
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a model for other programs.

    An .onnx file is run after it is written, and a .pth is imported; the largest difference from gancli's own results
    is printed.
    """
    from gancli.inference.export import export

    done = export(model, to, direction, best=best)
    if json:
        say_json({"file": str(done.file), "difference": done.difference, "opset": done.opset})
        return
    said = [f"opset {done.opset}"] if done.opset is not None else []
    said += [f"largest difference {done.difference:.1e}"] if done.difference is not None else []
    say(f"{done.file} ({'; '.join(said)})" if said else str(done.file))
