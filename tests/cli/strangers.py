"""What strangers send: a function a file, that is given the whole ones and says what to call."""

import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load, save_file

from gancli.checkpoints.checkpoint import About
from tests.conftest import noise_images


def model(whole: Path, variant: str = "gan") -> Path:
    return next((whole / variant / "checkpoints").glob("0*"))


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def png(width: int, height: int, body: bytes = b"") -> bytes:
    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def picture(content: bytes, name: str = "x.png") -> Callable[[Path], tuple[Any, ...]]:
    def send(whole: Path) -> tuple[Any, ...]:
        Path(name).write_bytes(content)
        return "translate", model(whole, "cyclegan"), name, "--out", "out.png"

    return send


def among_others(content: bytes) -> Callable[[Path], tuple[Any, ...]]:
    """In a folder with pictures that are whole."""

    def send(_whole: Path) -> tuple[Any, ...]:
        noise_images(Path("some"), 5)
        Path("some/x.png").write_bytes(content)
        return "train", "gan", "--data", "some"

    return send


def data(name: str, content: bytes) -> Callable[[Path], tuple[Any, ...]]:
    def send(_whole: Path) -> tuple[Any, ...]:
        Path(name).write_bytes(content)
        return "train", "gan", "--data", name

    return send


def many_frames() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("L", (60, 60), i % 2) for i in range(3)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def link(kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo("x.png")
    member.type, member.linkname = kind, "/etc/passwd"
    return member, b""


def zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", bytes(2**27))
    return stream.getvalue()


def npz_bomb() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, images=np.zeros((2, 8192, 8192), np.uint8))
    return stream.getvalue()


def idx(*shape: int) -> bytes:
    return b"\0\0\x08" + bytes([len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)


def npz(**held: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **held)
    return stream.getvalue()


def checkpoint(spoil: Callable[[bytes], bytes], *words: Any) -> Callable[[Path], tuple[Any, ...]]:
    def send(whole: Path) -> tuple[Any, ...]:
        Path("x.safetensors").write_bytes(spoil(model(whole).read_bytes()))
        return words or ("sample", "x.safetensors", "--out", "out.png")

    return send


def said(change: Callable[[dict[str, Any]], object], hashed: bool = True) -> Callable[[bytes], bytes]:
    """Change what a checkpoint says of itself, with a hash that is right."""

    def spoil(content: bytes) -> bytes:
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        about = json.loads(header["__metadata__"]["gancli"])
        change(about)
        if hashed:
            about["sha256"]["about"] = About(**about).hash()
        header["__metadata__"]["gancli"] = json.dumps(about)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + size :]

    return spoil


def deep(content: bytes) -> bytes:
    """Lists in lists in lists."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"]["gancli"] = "[" * 100_000
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def flipped(content: bytes) -> bytes:
    """In the weights that are used."""
    size = int.from_bytes(content[:8], "little")
    place = next(v for k, v in json.loads(content[8 : 8 + size]).items() if k.startswith("ema."))["data_offsets"][0]
    data = bytearray(content)
    data[8 + size + place] ^= 1
    return bytes(data)


def lost(content: bytes) -> bytes:
    """Weights that are not numbers, and no hash."""
    Path("y.safetensors").write_bytes(content)
    with safe_open("y.safetensors", "pt") as file:
        about = json.loads(file.metadata()["gancli"]) | {"sha256": {}}
    tensors = {k: torch.full_like(t, torch.nan) if t.is_floating_point() else t for k, t in load(content).items()}
    save_file(tensors, "y.safetensors", {"gancli": json.dumps(about)})
    spoilt = Path("y.safetensors").read_bytes()
    Path("y.safetensors").unlink()
    return spoilt


def pth(held: bytes, name: str = "x.pth") -> Callable[[Path], tuple[Any, ...]]:
    def send(_whole: Path) -> tuple[Any, ...]:
        Path(name).write_bytes(held)
        return "import", name, "--as", "x"

    return send


def saved(held: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(held, stream)
    return stream.getvalue()


PLUGIN = '''"""Mine: Me 2026, "My GAN"."""
from dataclasses import dataclass
from pathlib import Path
from gancli.hparams import hparam
from gancli.families.noise import NoiseHParams, NoiseToImage
Path("ran").write_text("x")
@dataclass(frozen=True, kw_only=True)
class HParams(NoiseHParams):
    flips: int = hparam(1, "an option of its own", min=0)
class Mine(NoiseToImage[HParams]):
    """My idea."""
    hparams = HParams
'''
