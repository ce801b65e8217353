"""`gancli explore`: serve the page of a model until Ctrl-C."""

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gancli.exploring.explorer import Explorer
from gancli.exploring.page import page
from gancli.exploring.saving import Saved, SaveFolder, folder_of
from gancli.exploring.server import Action, LocalServer, Site
from gancli.exploring.views import Frame, Kept, Shown
from gancli.images.writing import data_url
from gancli.system.untrusted.door import check_folder


def site_of(name: str, device: str, out: Path | None = None, *, best: bool = False) -> tuple[Site, Path]:
    """Return the site of a model, and the folder where it saves.

    Raise UserError if the model generates no images, or nothing can be saved in `out`.
    """
    if out:
        check_folder(out)
    explorer = Explorer(name, device, best=best)
    folder = out or folder_of(explorer.model)
    saves, offers = SaveFolder(explorer, name, folder), explorer.offers()
    actions = {
        "image": Action(Shown, lambda view: _shown(explorer, view)),
        "save": Action(Kept, lambda view: _told(saves.save(view))),
    }
    return Site(lambda nonce: page(offers, nonce), actions), folder


def explore(site: Site, port: int, told: Callable[[str], None], *, show: bool) -> None:
    """Serve a site until Ctrl-C; tell its address, and open a browser if asked."""
    server = LocalServer(site, port)
    try:
        told(server.url)
        sys.stdout.flush()  # someone may be reading a pipe
        if show and _has_display():
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        server.serve_forever()
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        server.server_close()


def _has_display() -> bool:
    """Return whether a browser has a screen: without one, a text browser would take over the terminal."""
    return os.name == "nt" or sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _shown(explorer: Explorer, view: Shown) -> dict[str, Any]:
    """Return an image for the page, and the values that its seed gives the axes."""
    axes = [] if isinstance(view, Frame) else explorer.axes(view.spot)
    return {"image": data_url(explorer.image(view), "PNG", compress_level=1), "axes": axes}


def _told(saved: Saved) -> dict[str, Any]:
    return {"file": str(saved.file), "command": saved.command}
