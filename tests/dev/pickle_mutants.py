"""Ways to damage pickles (opcodes, memo, lengths, names of imported code), NumPy arrays (types, shapes) and zips."""

import ast
import io
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Callable

import torch

from tests.dev.mutants import ODD, Dice, spoiled

NAMES = [
    *("os\nsystem", "posix\nsystem", "builtins\nexec", "builtins\neval", "builtins\ngetattr", "__builtin__\nset"),
    *("evil\nEvil", "evil\nEvil.go", "subprocess\nPopen", "numpy\nndarray", "numpy\ndtype", "numpy\nload"),
    *("numpy.core.multiarray\n_reconstruct", "numpy._core.multiarray\nscalar", "numpy._core.numeric\n_frombuffer"),
    *("torch\nFloatStorage", "torch\nload", "torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_parameter"),
    *("torch._utils\n_rebuild_sparse_tensor", "torch.storage\n_load_from_bytes", "collections\nOrderedDict"),
    *("copyreg\n_reconstructor", "copyreg\n__newobj__", "_codecs\nencode", "builtins\nbytearray"),
    *("x" * 2000 + "\ny", "a\x1b[31m\nb\u202e"),
]
SAID = b"open('escaped', 'w')"
TEXT = b"X" + struct.pack("<I", len(SAID)) + SAID
ALONE = [
    *(bytes([code]) for code in b"(012Rboi\x81\x92\x93aesu\x90\x91)]}\x8fN\x88\x89\x94.Qd\x85\x86\x87tl\x97\x98"),
    *(b"K\xff", b"q\0", b"h\0", b"Pevil\n", b"\x82\x01", b"\x83\1\1", b"\x84\1\1\1\1", b"\x80\x05", b"\x80\xff"),
    *(b"\x95" + b"\xff" * 8, b"X\xff\xff\xff\x7f", b"B\xff\xff\xff\xff", b"r\xff\xff\xff\x7f", b"g7\n"),
    *(b"\x8b\xff\xff\xff\x7f", b"\x8a\xff" + b"\x7f" * 255, b"I" + b"9" * 5000 + b"\n", b"F1e999\n", b"Fnan\n"),
    *(b"G" + struct.pack(">d", value) for value in (float("nan"), 1e300)),
    *(b"S'x'\n", b"V\\ud800\n", b"U\xff", b"T\xff\xff\xff\xff", b"p99999999999\n", b"L1L\n"),
    *(code + struct.pack("<Q", size) for code, size in ((b"\x8e", 2**40), (b"\x8d", 2**63), (b"\x96", 2**33))),
]
CALLS = [
    *(b"c" + name.encode() + b"\n" + TEXT + b"\x85R" for name in NAMES),
    *(b"(" + TEXT + b"i" + name.encode() + b"\n" for name in NAMES[:8]),
    *(b"c" + name.encode() + b"\n)\x81}" + TEXT + b"K\1sb" for name in NAMES),
]


def spoiled_pickle(content: bytes, dice: Dice, *_: object) -> bytes:
    """Swap, insert, remove, repeat and change opcodes, once to five times."""
    parts, rest = _opcodes(content)
    for _time in range(dice.choice([1, 1, 1, 2, 5])):
        if parts:
            dice.choice(WAYS)(parts, dice.randrange(len(parts)), dice)
    return b"".join(parts) + rest


def _swap(parts: list[bytes], at: int, dice: Dice) -> None:
    other = dice.randrange(len(parts))
    parts[at], parts[other] = parts[other], parts[at]


def _insert(parts: list[bytes], at: int, dice: Dice) -> None:
    parts.insert(at, dice.choice(dice.choice([ALONE, CALLS])))


def _remove(parts: list[bytes], at: int, dice: Dice) -> None:
    del parts[at : at + dice.choice([1, 1, 2, 5])]


def _repeat(parts: list[bytes], at: int, dice: Dice) -> None:
    parts[at:at] = parts[at : at + dice.choice([1, 3, 20])] * dice.choice([1, 2, 200])


def _exchange(parts: list[bytes], at: int, dice: Dice) -> None:
    parts[at] = dice.choice(dice.choice([ALONE, CALLS]))


def _rename(parts: list[bytes], _: int, dice: Dice) -> None:
    """Replace the name of an import by another one."""
    named = [i for i, part in enumerate(parts) if part[:1] in (b"c", b"\x93")]
    if not named:
        return
    i, name = dice.choice(named), dice.choice(NAMES).encode()
    if parts[i][:1] == b"c":
        parts[i] = b"c" + name + b"\n"
    else:  # remove values from the stack, and push others
        texts = (b"X" + struct.pack("<I", len(text)) + text for text in name.split(b"\n"))
        parts[i] = b"00" + b"".join(texts) + b"\x93"


def _change(parts: list[bytes], at: int, dice: Dice) -> None:
    """Change an index, a length or a number."""
    body = bytearray(parts[at][1:])
    if body:
        i = dice.randrange(min(len(body), 8))
        body[i] = dice.choice([0, 1, body[i] ^ 1, body[i] ^ 128, 127, 255, ord("9")])
    parts[at] = parts[at][:1] + bytes(body)


WAYS = (_swap, _insert, _remove, _repeat, _exchange, _rename, _change, _change)


def _opcodes(content: bytes) -> tuple[list[bytes], bytes]:
    """Split consecutive pickles into opcodes with their arguments; also return the bytes that follow."""
    file, parts, end = io.BytesIO(content), list[bytes](), 0
    try:
        while end < len(content):
            places = [place or 0 for _, _, place in pickletools.genops(file)]
            parts += [content[a:b] for a, b in zip(places, [*places[1:], file.tell()])]
            end = file.tell()
    except (ValueError, IndexError, struct.error):  # storages after the pickles, in torch's older format
        pass
    return parts, content[end:]


# ------------------------------------------------------------------------------------- zips


def spoiled_npz(content: bytes, dice: Dice, *_: object) -> bytes:
    """Damage a member, mostly the header of an array."""
    return _rezipped(content, dice, ".npy", lambda body: _spoiled_npy(body, dice))


def spoiled_pth(content: bytes, dice: Dice, *_: object) -> bytes:
    """Damage the pickles by opcode, in a zip or in torch's older format."""
    if content.startswith(b"PK"):
        return _rezipped(content, dice, ".pkl", lambda body: spoiled_pickle(body, dice))
    return spoiled_pickle(content, dice)


def spoiled_state(content: bytes, dice: Dice, *_: object) -> bytes:
    """Change shapes, values and names of tensors in a file of torch.save that holds nothing else."""
    try:
        with warnings.catch_warnings(action="ignore"):
            held = torch.load(io.BytesIO(content), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):  # modules, or a container that torch does not know
        return spoiled_pth(content, dice)
    state = next((inner for inner in held.values() if isinstance(inner, dict)), held)
    for _time in range(dice.choice([1, 1, 2, 5])):
        dice.choice(TENSORS)(state, dice.choice([n for n, value in state.items() if torch.is_tensor(value)]), dice)
    stream = io.BytesIO()
    torch.save(held, stream, _use_new_zipfile_serialization=dice.random() < 0.5)
    return stream.getvalue()


def _other_shape(state: dict[str, torch.Tensor], name: str, dice: Dice) -> None:
    shape = list(state[name].shape)
    at = dice.randrange(len(shape) + 1)
    shape[at : at + dice.choice([0, 1])] = dice.choice([[], [0], [1], [2], [3, 3], [10_000_000], [65_536]])
    state[name] = torch.zeros(()).expand(shape)  # one number in the file, whatever the shape


def _other_name(state: dict[str, torch.Tensor], name: str, dice: Dice) -> None:
    number = dice.choice(["0", "1", "7", "99", "999999999999999999999999", ""])
    state[re.sub(r"\d+", number, name, count=dice.choice([1, 9]))] = state.pop(name)


def _other_tensor(state: dict[str, torch.Tensor], name: str, dice: Dice) -> None:
    state[name] = state[dice.choice(list(state))]


def _other_values(state: dict[str, torch.Tensor], name: str, dice: Dice) -> None:
    old, new = state[name], torch.tensor(dice.choice([0, 1, -1, 1e30, float("inf")]), dtype=torch.float32)
    one = old.untyped_storage().nbytes() < old.numel()  # already changed by _other_shape, and perhaps of 92 GB
    state[name] = new.expand(old.shape) if one else torch.full_like(old, new.item(), dtype=torch.float32)


def _no_tensor(state: dict[str, torch.Tensor], name: str, dice: Dice) -> None:
    del state[name]


TENSORS = (_other_shape, _other_shape, _other_name, _other_tensor, _other_values, _no_tensor)


def _rezipped(content: bytes, dice: Dice, end: str, way: Callable[[bytes], bytes]) -> bytes:
    """Change one member and write the zip again; sometimes leave a member out, compress it or rename it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        held = {member.filename: (archive.read(member), member.compress_type) for member in archive.infolist()}
    chosen, stream = dice.choice([name for name in held if name.endswith(end)]), io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, (body, method) in held.items():
            luck = dice.random()
            if luck < 0.01:
                continue
            name = f"{name}{dice.choice(['x', '/../../escaped', chr(0x202E)])}" if luck < 0.02 else name
            archive.writestr(name, way(body) if name == chosen else body, 8 if luck > 0.99 else method)
    return stream.getvalue()


def _spoiled_npy(content: bytes, dice: Dice) -> bytes:
    if dice.random() < 0.2:
        return spoiled(content, dice)
    size = int.from_bytes(content[8:10], "little")
    header = ast.literal_eval(content[10 : 10 + size].decode())
    key = dice.choice(list(header))
    header[key] = dice.choice({"descr": TYPES, "shape": SHAPES}.get(key, ODD[:20]))
    text = repr(header).encode().ljust(size - 1) + b"\n"
    return content[:8] + (len(text) & 0xFFFF).to_bytes(2, "little") + text + content[10 + size :]


TYPES = ["|O", "<f4", ">f8", "<c16", "|V8", "<U1", "<U100000000", "|S0", "<M8[s]", "|b1", "<i8", "<f2", [("a", "<f8")]]
SHAPES = [(), (0,), (3,), (3, 3), (2**40,), (2**20, 0, 16), (-1,), (1,) * 40, (2**32, 2**32), (True,), (3.0,), "x"]
