"""What strangers could send: whole files of every kind that gancli reads, and ways to spoil them."""

import gzip
import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from gancli.checkpoint import About

Dice = random.Random


class Source(NamedTuple):
    """A whole file."""

    kind: str  # checkpoint, image, archive, array, pth, run
    name: str
    content: bytes


# ------------------------------------------------------------------------------------------------ whole files


def images() -> list[Source]:
    """Every format and mode that is read, small."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (12, 10, 3), np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (8, 8), np.uint16))
    palette, frames = rgb.convert("P"), [rgb.rotate(90 * i) for i in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    made: list[tuple[str, Image.Image, dict[str, Any]]] = [
        *((f"{mode}.png", rgb.convert(mode), {}) for mode in ("1", "L", "LA", "RGB", "RGBA")),
        ("16.png", deep, {}),
        ("P.png", palette, {"transparency": 3}),
        ("exif.png", rgb, {"exif": exif}),
        ("animated.png", frames[0], {"save_all": True, "append_images": frames[1:]}),
        *((f"{mode}.jpg", rgb.convert(mode), {"exif": exif}) for mode in ("L", "RGB", "CMYK")),
        ("progressive.jpg", rgb, {"progressive": True}),
        ("RGB.webp", rgb, {}),
        ("animated.webp", frames[0], {"save_all": True, "append_images": frames[1:], "lossless": True}),
        ("P.gif", palette, {"transparency": 3}),
        ("animated.gif", frames[0], {"save_all": True, "append_images": frames[1:]}),
        ("RGB.bmp", rgb, {}),
        ("lzw.tif", rgb, {"compression": "tiff_lzw"}),
        ("16.tif", deep, {}),
        ("pages.tif", rgb, {"save_all": True, "append_images": frames[1:]}),
        ("RGB.ppm", rgb, {}),
        ("RGB.tga", rgb, {"compression": "tga_rle"}),
        ("RGB.ico", rgb.convert("RGBA"), {}),
        ("RGB.avif", rgb, {}),
        ("RGB.jp2", rgb, {}),
    ]
    return [Source("image", name, _saved(image, name, options)) for name, image, options in made]


def _saved(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    formats = Image.registered_extensions()
    image.save(stream, formats[Path(name).suffix], **options)
    return stream.getvalue()


def archives(pictures: list[Source]) -> list[Source]:
    """Folders of pictures in every kind of archive."""
    found = []
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("packed.zip", zipfile.ZIP_DEFLATED), ("x.zip", 14)):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for picture in pictures[:6]:
                archive.writestr(f"top/{picture.name[0]}/{picture.name}", picture.content)
        found.append(Source("archive", name, stream.getvalue()))
    for name, mode in (("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tar.xz", "w:xz"), ("x.tar.bz2", "w:bz2")):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
            for picture in pictures[:6]:
                member = tarfile.TarInfo(f"top/{picture.name[0]}/{picture.name}")
                member.size = len(picture.content)
                archive.addfile(member, io.BytesIO(picture.content))
            link = tarfile.TarInfo("top/link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        found.append(Source("archive", name, stream.getvalue()))
    return found


def arrays() -> list[Source]:
    """The npz and idx files."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    plain, packed = io.BytesIO(), io.BytesIO()
    np.savez(plain, images=pixels, labels=np.arange(12) % 3)
    np.savez_compressed(packed, images=pixels[..., 0])
    idx = b"\0\0\x08\x03" + struct.pack(">3i", 12, 8, 8) + pixels[..., 0].tobytes()
    return [
        Source("array", "plain.npz", plain.getvalue()),
        Source("array", "packed.npz", packed.getvalue()),
        Source("array", "train-images-idx3-ubyte", idx),
        Source("array", "train-images-idx3-ubyte.gz", gzip.compress(idx)),
    ]


class Code:
    """What unpickling would run."""

    def __reduce__(self) -> Any:
        return exec, ("open('escaped', 'w').write('code was run')",)


def pickles() -> list[Source]:
    """The .pth files: a generator that is known, in both formats of torch, and pickles with code in them."""
    state = {f"model.{i}.weight": torch.zeros(2, 2, 3, 3) for i in (1, 4, 7)}
    found = []
    for name, new, held in (("zip.pth", True, state), ("old.pth", False, state), ("code.pth", True, {"a": Code()})):
        stream = io.BytesIO()
        torch.save(held, stream, _use_new_zipfile_serialization=new)
        found.append(Source("pth", name, stream.getvalue()))
    return [*found, Source("pth", "code.pkl", pickle.dumps(Code()))]


def checkpoints(folder: Path, run: Callable[[list[str]], int], data: Path, domains: Path) -> list[Source]:
    """Checkpoints of all kinds of networks, trained for a step."""
    small = ["--steps", "1", "--batch", "4", "--width", "4", "--quiet", "--device", "cpu", "--metrics", "none"]
    found = []
    for variant, more in {
        "gan": ["--z-dim", "4", "--data", data],
        "dcgan": ["--z-dim", "4", "--data", data],
        "vae": ["--z-dim", "4", "--data", data],
        "cgan": ["--z-dim", "4", "--data", domains],
        "wgan-gp": ["--z-dim", "4", "--data", "ring8"],
        "cyclegan": ["--blocks", "1", "--data", domains, "--pool", "1"],
        "pix2pix": ["--data", data, "--pairs", "gray", "--size", "16"],
        "context-encoder": ["--bottleneck", "8", "--data", data, "--size", "32"],
    }.items():
        assert run([str(w) for w in ("train", variant, *small, *more, "--out", folder / variant)]) == 0, variant
        content = next((folder / variant / "checkpoints").glob("0*")).read_bytes()
        found.append(Source("checkpoint", f"{variant}.safetensors", content))
    found += [Source("run", name, (folder / "gan" / name).read_bytes()) for name in ("run.json", "metrics.jsonl")]
    return found


# ------------------------------------------------------------------------------------------------ spoilers


NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, -0.5, float("nan"), float("inf"), "", "x", "ä" * 999, "\0"),
    *([], [[]], {}, {"a": 1}, [1, 2], ["a"], "../../escaped", "/etc/passwd", "./evil.py", "cyclegan", "infogan", 30000),
]


def spoiled(content: bytes, dice: Dice) -> bytes:
    """Flip, cut, repeat, insert and overwrite, once to five times."""
    data = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        at = dice.randrange(len(data) + 1) if dice.random() < 0.6 else dice.randrange(min(len(data), 200) + 1)
        length = dice.choice([1, 2, 4, 8, 64, 1000])
        way = dice.randrange(7)
        if way == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at : at + length]
        elif way == 3:
            data[at:at] = dice.randbytes(length)
        elif way == 4:
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif way == 5:
            number = dice.choice(NUMBERS).to_bytes(4, dice.choice(["big", "little"]))
            data[at : at + 4] = number[: len(data[at : at + 4])]
        else:
            data[at:at] = data[at : at + length]
    return bytes(data)


def spoiled_png(content: bytes, dice: Dice) -> bytes:
    """Spoil what is in one of the chunks, and put its checksum right."""
    at, chunks = 8, []
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    i = dice.randrange(len(chunks))
    name, body = chunks[i]
    if name == b"IDAT" and dice.random() < 0.5:
        body = zlib.compress(spoiled(zlib.decompress(body), dice))
    elif name == b"IHDR" and dice.random() < 0.5:
        size = (dice.choice([0, 1, 5, 200, 30_000, 2**31 - 1]) for _ in range(2))
        body = struct.pack(">2I", *size) + body[8:]
    else:
        body = spoiled(body, dice)
    chunks[i] = name, body
    dice.shuffle(chunks) if dice.random() < 0.1 else None
    parts = (len(b).to_bytes(4, "big") + n + b + zlib.crc32(n + b).to_bytes(4, "big") for n, b in chunks)
    return content[:8] + b"".join(parts)


def spoiled_checkpoint(content: bytes, dice: Dice) -> bytes:
    """Spoil the header, or what it says of the GAN: half of the times with hashes that are right again."""
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    if dice.random() < 0.3:
        name = dice.choice([name for name in header if name != "__metadata__"])
        _spoil_entry(header, name, dice)
    elif dice.random() < 0.2:
        body = bytes(body[: dice.randrange(len(body))]) + b"\xff" * dice.choice([4, 400])
    about = json.loads(header["__metadata__"]["gancli"])
    if dice.random() < 0.8:
        _spoil_leaf(about, dice)
    if dice.random() < 0.5:
        about["sha256"] = {}
    elif dice.random() < 0.7:
        about = _with_hash(about)
    header["__metadata__"]["gancli"] = json.dumps(about)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _spoil_entry(header: dict[str, Any], name: str, dice: Dice) -> None:
    way = dice.randrange(5)
    if way == 0:
        header[name]["shape"] = [dice.choice([0, 1, 2**20, 2**40, -1]) for _ in range(dice.randrange(4))]
    elif way == 1:
        header[name]["dtype"] = dice.choice(["F16", "BF16", "F64", "I64", "BOOL", "U8", "F8_E4M3", "X"])
    elif way == 2:
        header[name]["data_offsets"] = [dice.choice([0, 5, 2**40]), dice.choice([0, 64, 2**62])]
    elif way == 3:
        header[dice.choice(["gan.x", "ema.", "opt.D", "opt.D.step.x", "é"])] = header.pop(name)
    else:
        del header[name]


def _spoil_leaf(tree: Any, dice: Dice) -> None:
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = dice.choice(keys)
        if isinstance(tree[key], dict | list) and tree[key] and dice.random() < 0.85:
            tree = tree[key]
            continue
        if isinstance(tree, dict) and dice.random() < 0.1:
            del tree[key]
        else:
            tree[key] = dice.choice(ODD)
        return


def _with_hash(about: dict[str, Any]) -> dict[str, Any]:
    try:
        about["sha256"]["about"] = About(**about).hash()
    except (TypeError, KeyError):
        about["sha256"] = {}
    return about


def spoiled_json(content: bytes, dice: Dice) -> bytes:
    """Spoil a value of a JSON file, or of one of its lines."""
    lines = content.decode().splitlines() if content.count(b"\n{") else [content.decode()]
    i = dice.randrange(len(lines))
    tree = json.loads(lines[i])
    _spoil_leaf(tree, dice)
    lines[i] = json.dumps(tree)
    return "\n".join(lines).encode()


def mutant(source: Source, dice: Dice) -> bytes:
    """Spoil a file, in a way that its format has or in any."""
    special = {"checkpoint": spoiled_checkpoint, "run": spoiled_json}.get(source.kind)
    if source.name.endswith(".png"):
        special = spoiled_png
    if special and dice.random() < 0.6:
        return special(source.content, dice)
    return spoiled(source.content, dice)
