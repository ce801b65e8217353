"""Save images with their provenance in every file, or put them into a page."""

import base64
import io
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from PIL import Image, PngImagePlugin

from gancli.errors import UserError
from gancli.system import atomic
from gancli.system.untrusted.door import check_regular, parse_json, reading, to_json

TEXT = "gancli"  # the key of a PNG's text chunk
STANDARD = Path("-")  # standard output


# ---------------------------------------------------------------------------------------------- files


def save_png(picture: Image.Image, path: Path, about: Mapping[str, Any]) -> None:
    """Save a PNG with its provenance; to standard output if the path is `-`."""
    if path == STANDARD:
        if sys.stdout.isatty():
            raise UserError("--out -: standard output is a terminal: send it to a file or a program")
        picture.save(sys.stdout.buffer, "PNG", pnginfo=png_text(about))
        sys.stdout.buffer.flush()
        return
    with atomic.replacing(path) as temporary:
        picture.save(temporary, "PNG", pnginfo=png_text(about))


def data_url(picture: Image.Image, form: Literal["PNG", "WEBP"], **options: Any) -> str:
    """Encode an image as the data: URL by which a page holds it; `options` are those of Pillow's writer."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def read_about(path: Path) -> dict[str, Any]:
    """Read the provenance that `save_png` wrote into a PNG; raise UserError if there is none.

    Pillow limits the size of the decompressed text.
    """
    check_regular(path)
    try:
        with warnings.catch_warnings(), reading(str(path)):
            warnings.simplefilter("ignore")  # about large images: no pixel is read
            with Image.open(path, formats=("PNG",)) as picture:
                return parse_json(str(picture.info.get(TEXT, "")), dict[str, Any])
    except UserError:
        raise UserError(f"{path} is not a PNG that gancli sample wrote") from None


def png_text(about: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    """Return the text chunk with the provenance for a PNG."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt(TEXT, provenance(about))
    return text


def provenance(about: Mapping[str, Any]) -> str:
    """Return the provenance of an image as JSON, marked as synthetic."""
    return to_json({"synthetic": True, **about})
