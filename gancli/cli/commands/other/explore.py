"""`gancli explore MODEL`: a local page with sliders for a model that generates images."""

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli.arguments import MODEL, Device
from gancli.system.untrusted.terminal import say, say_json


def command(
    model: Annotated[str, MODEL],
    port: Annotated[int, typer.Option(help="Port on this machine; default: a free one.", min=0, max=65535)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for saved images; default: explored/ in the run folder.")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    best: Annotated[bool, typer.Option("--best", help="Use the run's best checkpoint instead of its newest.")] = False,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the address as one JSON object.")] = False,
) -> None:
    """Explore a model on a local page.

    Its sliders change seed, truncation, class, latent axes and directions, and walk between pinned images. Saved images
    come with the command that generates them again. Only this machine can open the page, at an address with a random
    token. Ctrl-C ends it.
    """
    from gancli.exploring.explore import explore, site_of

    site, folder = site_of(model, device, out, best=best)

    def told(url: str) -> None:
        if json:
            say_json({"url": url, "folder": str(folder)})
        else:
            say(url)
            say(f"Images are saved in {folder}. Ctrl-C ends this page.")

    explore(site, port, told, show=not no_open)
