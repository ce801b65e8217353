"""Read files of torch.save, pickle or dill without running them: zip files, older streams and plain pickles."""

import io
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from gancli.system.untrusted import pickled_arrays, pickled_tensors
from gancli.system.untrusted.bounds import Bounded, Bounds, opened
from gancli.system.untrusted.pickled_tensors import Storage, check_same, check_truth, described
from gancli.system.untrusted.pickles import Form, Machine

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MOST_DIRECTORY = 2**22  # bytes of a zip's list of members; torch writes 60 to 100 per member
CHUNK = 2**18  # bytes per read: few enough to stay in the processor's cache


def load(path: Path) -> Any:
    """Read a file of torch.save, pickle or dill: plain values, arrays and tensors; all other objects as `Record`s.

    Raise UserError, naming the file, if it is damaged, too large, or holds tensors of an unsupported kind.
    """
    with opened(path) as file:
        zipped = file.peek(4)[:4] == b"PK\3\4"
        return _from_zip(file) if zipped else _from_stream(file, file.length, FORMS, Bounds.of(file.length))


# ------------------------------------------------------------------------------------------------ zip files


def _from_zip(file: Bounded) -> Any:
    file.most = MOST_DIRECTORY
    try:
        with zipfile.ZipFile(file) as archive:
            source = _Archive(archive, file.length)
            content = io.BytesIO(source.content(f"{source.top}data.pkl").numpy().tobytes())
            return Machine(FORMS, Bounds.of(file.length), source.storage).read(content)
    except zipfile.BadZipFile as error:
        raise ValueError(f"its zip is damaged: {error}") from None


def _top(members: Collection[str]) -> str:
    """Return the top folder of the zip; torch.save names it after the file."""
    tops = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(tops) != 1:
        raise ValueError("it is a zip, but not one of torch.save's: it must hold data.pkl exactly once")
    if f"{tops[0]}constants.pkl" in members:
        raise ValueError("it is a TorchScript program, which gancli does not run")
    return tops[0]


def _check_members(members: list[zipfile.ZipInfo], length: int) -> None:
    """Raise ValueError unless the members are uncompressed, with unique names, and together fit in the file."""
    if len({member.filename for member in members}) < len(members):
        raise ValueError("it has members of the same name")
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise ValueError("its members are compressed or encrypted, which torch.save never does")
    if sum(member.file_size for member in members) > length:
        raise ValueError("its members declare more bytes than the file has")


class _Archive:
    """The storages in a zip, each read once."""

    def __init__(self, archive: zipfile.ZipFile, length: int) -> None:
        _check_members(archive.infolist(), length)
        self.archive = archive
        self.members = {member.filename: member for member in archive.infolist()}
        self.top = _top(self.members)
        self.storages: dict[str, Storage] = {}
        order = f"{self.top}byteorder"
        self.swapped = order in self.members and self.content(order).numpy().tobytes() == b"big"

    def content(self, name: str) -> Tensor:
        """Read a whole member; zipfile checks its checksum and that it does not overlap others."""
        if name not in self.members:
            raise ValueError(f"it is damaged: it lacks {name[-40:]}")
        size, at = self.members[name].file_size, 0
        data = torch.empty(size, dtype=torch.uint8)
        view = data.numpy().data
        with self.archive.open(self.members[name]) as member:
            while chunk := member.read(CHUNK):
                view[at : at + len(chunk)] = chunk
                at += len(chunk)
        if at < size:
            raise ValueError(f"it is cut short within {name[-40:]}")
        return data

    def storage(self, said: Any) -> Storage:
        """Return the storage that a persistent id names."""
        dtype, key, count = described(said, 5)
        if key not in self.storages:
            data = self.content(f"{self.top}data/{key}")
            if self.swapped and dtype.itemsize > 1:
                data = data.view(-1, dtype.itemsize).flip(1).flatten()
            self.storages[key] = Storage(data, dtype)
            check_truth(self.storages[key])
        return check_same(self.storages[key], key, dtype, count)


# ------------------------------------------------------------------------------------------------ streams


def _from_stream(file: BinaryIO, length: int, forms: dict[str, Form], bounds: Bounds) -> Any:
    """Read one pickle; in the format before torch 1.6, a magic number, more pickles and the storages."""
    plain = Machine(forms, bounds)
    first = plain.read(file)
    if type(first) is not int or first != MAGIC:  # comparing an array would work element by element
        return first
    version, _about = plain.read(file), plain.read(file)
    if type(version) is not int or version != VERSION:
        raise ValueError(f"its torch.save format is not supported; only {VERSION} is")
    source = _Stream(file, length, bounds)
    held = Machine(forms, bounds, source.storage).read(file)
    source.fill(plain.read(file))
    return held


class _Stream:
    """The storages that follow a pickle; they are allocated while it is read."""

    def __init__(self, file: BinaryIO, length: int, bounds: Bounds) -> None:
        self.file, self.bounds = file, bounds
        self.left = length - file.tell()
        self.storages: dict[str, Storage] = {}

    def storage(self, said: Any) -> Any:
        """Return what a persistent id names: a storage, a view of one, or the class of a module with its source."""
        if isinstance(said, tuple) and said[:1] == ("module",) and len(said) == 4:
            return said[1]
        dtype, key, count = described(said, 6)
        part = said[-1]
        size = count * dtype.itemsize
        if key not in self.storages:
            self.left -= size + 8
            if self.left < 0:
                raise ValueError("it is cut short, or it declares larger tensors than it holds")
            self.storages[key] = Storage(torch.empty(size, dtype=torch.uint8), dtype)
        found = check_same(self.storages[key], key, dtype, count)
        return found if part is None else _part(found, part)

    def fill(self, keys: Any) -> None:
        """Read all storages, in the order of their keys."""
        right = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        if not right or len(keys) != len(self.storages) or {*keys} != {*self.storages}:
            raise ValueError("it is damaged: its list of storages does not match its tensors")
        for key in keys:
            storage = self.storages[key]
            count = int.from_bytes(self.file.read(8), "little")
            view = storage.data.numpy().data
            if count * storage.dtype.itemsize != len(view) or self._fill(view) != len(view):
                raise ValueError(f"it is damaged or cut short within storage {key[:20]}")
            check_truth(storage)

    def _fill(self, view: memoryview) -> int:
        return self.file.readinto(view) if len(view) else 0  # pyright: ignore[reportAttributeAccessIssue]


def _part(storage: Storage, said: Any) -> Storage:
    """Return a view of a storage, as torch wrote it before 0.4."""
    if not isinstance(said, tuple) or len(said) != 3 or not all(type(n) is int and n >= 0 for n in said[1:]):
        raise ValueError("it is damaged: a view of a storage is invalid")
    start, size = (n * storage.dtype.itemsize for n in said[1:])
    if start + size > storage.data.numel():
        raise ValueError("it is damaged: a view extends beyond its storage")
    return Storage(storage.data[start : start + size], storage.dtype)


def _nested(machine: Machine, content: Any) -> Any:
    """Return a storage that was pickled separately, as a whole stream of torch.save in one value."""
    if not isinstance(content, bytes | bytearray):
        raise ValueError("it is damaged: a storage is not bytes")
    machine.bounds.take(len(content))
    found = _from_stream(io.BytesIO(content), len(content), {}, machine.bounds)
    if not isinstance(found, Storage):
        raise ValueError("it is damaged: a nested storage is not a storage")
    return found


FORMS: dict[str, Form] = {
    **pickled_arrays.FORMS,
    **pickled_tensors.FORMS,
    "torch.storage._load_from_bytes": _nested,
}
