"""What tests of pickles share: reading bytes, and files as torch writes them with other contents."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gancli.errors import UserError
from gancli.system.untrusted import torch_files


def read(content: bytes, place: Path) -> Any:
    place.write_bytes(content)
    return torch_files.load(place)


def saved(held: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(held, stream, **options)
    return stream.getvalue()


def read_or_refused(content: bytes, place: Path) -> Any:
    """What is read, or None after one line."""
    try:
        return read(content, place)
    except UserError as error:
        said = str(error)
    assert said.startswith(f"{place} cannot be read: ")
    assert said.isprintable()
    return None


class Call:
    """Pickles as a call with a state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


def zipped(change: Callable[[dict[str, bytes]], object], **options: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved({"a": torch.arange(50)}))) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    change(members)
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()
