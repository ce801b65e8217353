"""Ways to damage a valid file: by bytes, and by the structure of its format, with checksums and hashes corrected."""

import copy
import json
import random
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load

from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About

Dice = random.Random

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD: list[Any] = [
    *(None, True, -1, 0, 1, 2, 2**31, 2**63, 10**30, 10**400, 1e308, -0.5, 0.5, float("nan"), float("inf")),
    *("", "x", "ä" * 999, "\0", "$\\frac{$", "\x1b]0;x\x07\u202e", "=1+1", "../../escaped", "/etc/passwd", "/dev/zero"),
    *([], [[]], {}, {"a": 1}, [1, 2], ["a"], "./evil.py", "cyclegan", "infogan", "horse2zebra", 30000, "0" * 16),
    *([0] * 3000, {f"name {i}": i for i in range(3000)}, list(range(300_000)), [True], [1.5], [10**400], "~nobody/x"),
]


# --------------------------------------------------------------------------------------------------- bytes


def spoiled(content: bytes, dice: Dice, *_: Any) -> bytes:
    """Flip, cut, repeat, insert and overwrite bytes, once to five times."""
    data = bytearray(content)
    for _time in range(dice.choice([1, 1, 1, 2, 5])):
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


def spoiled_inside(packer: Any) -> Callable[..., bytes]:
    """Return a function that decompresses a file, damages it and compresses it again."""
    return lambda content, dice, *_: packer.compress(spoiled(packer.decompress(content), dice))


def spoiled_idx(content: bytes, dice: Dice, *_: Any) -> bytes:
    """Change the type, the number of axes or the sizes in the header."""
    sizes = [dice.choice([0, 1, 8, 12, 2**16, 2**20, 2**31 - 1, 2**32 - 1]) for _ in range(dice.choice([0, 1, 3, 255]))]
    if dice.random() < 0.5:
        return (
            content[:2] + bytes([dice.choice([8, 9, 13, 14, 0]), len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)
        )
    at = dice.choice([4, 8, 12])
    return content[:at] + struct.pack(">I", dice.choice(NUMBERS)) + content[at + 4 :]


# ---------------------------------------------------------------------------------------------------- JSON


def spoiled_json(content: bytes, dice: Dice, strays: list[bytes]) -> bytes:
    """Damage values of a JSON file or of one of its lines, or replace it by valid JSON of another file."""
    if dice.random() < 0.1:
        return dice.choice(strays)
    lines = content.decode().splitlines() if content.count(b"\n{") else [content.decode()]
    i = dice.randrange(len(lines))
    tree = json.loads(lines[i])
    for _ in range(dice.choice([1, 1, 2, 3])):
        _spoil_leaf(tree, dice)
    lines[i] = json.dumps(tree)
    if dice.random() < 0.2:
        lines[dice.randrange(len(lines) + 1) :] = [dice.choice(lines)] * dice.choice([1, 2, 100])
    return ("\n".join(lines) + dice.choice(["\n", ""])).encode()


def _spoil_leaf(tree: Any, dice: Dice) -> None:
    while isinstance(tree, dict | list) and tree:
        key = dice.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        if isinstance(tree[key], dict | list) and tree[key] and dice.random() < 0.85:
            tree = tree[key]
            continue
        held: Any = tree
        way = dice.random() if isinstance(tree, dict) else 1
        if way < 0.1:
            del held[key]
        elif way < 0.2:
            held[dice.choice(["x", "$\\frac{$", "é\x1b[31m", "", "a" * 9999])] = held.pop(key)
        elif way < 0.3:
            held[key] = held[dice.choice(list(held))]
        else:
            held[key] = copy.copy(dice.choice(ODD))  # copied, because it may be damaged next
        return


# ---------------------------------------------------------------------------------------------------- PNGs


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    at, chunks = 8, []
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = (len(b).to_bytes(4, "big") + n + b + zlib.crc32(n + b).to_bytes(4, "big") for n, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def spoiled_png(content: bytes, dice: Dice, *_: Any) -> bytes:
    """Damage the content of one chunk, and correct its checksum."""
    chunks = _chunks(content)
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
    return _png(chunks)


def spoiled_like(content: bytes, dice: Dice, strays: list[bytes]) -> bytes:
    """Damage the JSON in which an image records how it was generated, in any of PNG's forms of text."""
    head = b"gancli\0\0\0\0\0"  # plain iTXt
    chunks = _chunks(content)
    i = next(i for i, (name, body) in enumerate(chunks) if name == b"iTXt" and body.startswith(head))
    said = spoiled_json(chunks[i][1][len(head) :], dice, strays)
    forms = [(b"tEXt", b"gancli\0" + said), (b"zTXt", b"gancli\0\0" + zlib.compress(said))]
    forms += [(b"iTXt", b"gancli\0\1\0\0\0" + zlib.compress(said)), *[(b"iTXt", head + said)] * 9]
    chunks[i : i + 1] = [dice.choice(forms)] * dice.choice([1, 1, 1, 2])
    return _png(chunks)


# ------------------------------------------------------------------------------------- safetensors, checkpoints


def spoiled_safetensors(content: bytes, dice: Dice, strays: list[bytes]) -> bytes:
    """Damage the header: the entry of a tensor, or the JSON in its metadata."""
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    key = next(iter(header["__metadata__"]))
    if dice.random() < 0.5:
        _spoil_entry(header, dice.choice([name for name in header if name != "__metadata__"]), dice)
    else:
        header["__metadata__"][key] = spoiled_json(header["__metadata__"][key].encode(), dice, strays).decode()
    return _safetensors(header, body)


def _safetensors(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def spoiled_checkpoint(content: bytes, dice: Dice, strays: list[bytes]) -> bytes:
    """Damage the header, the tensors or the description of the GAN, mostly with corrected hashes."""
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    if dice.random() < 0.4:
        _spoil_entry(header, dice.choice([name for name in header if name != "__metadata__"]), dice)
    elif dice.random() < 0.2:
        at = dice.randrange(len(body) // 4) * 4
        number = dice.choice([b"\xff" * 4, struct.pack("<f", 1e30), bytes(4), struct.pack("<f", -1)])
        body = body[:at] + number + body[at + 4 :]
    about = json.loads(header["__metadata__"]["gancli"])
    for _ in range(dice.choice([0, 1, 1, 1, 2])):
        _spoil_leaf(about, dice)
    header["__metadata__"]["gancli"] = json.dumps(about)
    way = dice.random()
    if way < 0.25:
        header["__metadata__"]["gancli"] = json.dumps(about | {"sha256": {}})
    elif way < 0.85:
        header["__metadata__"]["gancli"] = json.dumps(_hashed(about, _safetensors(header, body)))
    elif way < 0.88:
        header["__metadata__"]["gancli"] = dice.choice(strays).decode()
    return _safetensors(header, body)


def _hashed(about: dict[str, Any], content: bytes) -> dict[str, Any]:
    """Correct the hashes of the parts and of the description."""
    hashes: dict[str, str] = {}
    with suppress(SafetensorError, RuntimeError, TypeError, ValueError, KeyError):
        tensors = load(content)
        for part in checkpoint.PARTS:
            own = {n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(f"{part}.")}
            hashes[part] = checkpoint._hash(own)
    with suppress(TypeError, KeyError):
        hashes = {**about["sha256"], **hashes}
        hashes["about"] = About(**{**about, "sha256": hashes}).hash()
    return about | {"sha256": hashes}


def _spoil_entry(header: dict[str, Any], name: str, dice: Dice) -> None:
    way = dice.randrange(6)
    if way == 0:
        header[name]["shape"] = [dice.choice([0, 1, 2**20, 2**40, -1]) for _ in range(dice.randrange(4))]
    elif way == 1:
        header[name]["dtype"] = dice.choice(["I32", "U32", "F16", "BF16", "F64", "I64", "BOOL", "U8", "F8_E4M3", "X"])
    elif way == 2:
        header[name]["data_offsets"] = [dice.choice([0, 5, 2**40]), dice.choice([0, 64, 2**62])]
    elif way == 3:
        header[dice.choice(["gan.x", "ema.", "opt.D", "opt.D.step.x", "é", "mu"])] = header.pop(name)
    elif way == 4:
        header[name]["shape"] = [*header[name]["shape"], 1][:: dice.choice([1, -1])]
    else:
        del header[name]
