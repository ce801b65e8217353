"""Pickles of attackers: nothing is run or imported, and nothing takes more than its file's size allows."""

import argparse
import contextlib
import copyreg
import os
import pickle
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gancli.errors import UserError
from gancli.system.untrusted import bounds, torch_files
from tests.conftest import Cli
from tests.system.pickling import read, read_or_refused, saved, zipped

# ------------------------------------------------------------------------------------------------ code

EVIL = """open("ran", "w").close()
class Evil:
    def __new__(cls, *args, **kwargs):
        open("ran", "w").close()
        return object.__new__(cls)
    def touch(self, *args):
        open("ran", "w").close()
    __setstate__ = __setitem__ = append = extend = add = __reduce__ = touch
def call(*args, **kwargs):
    open("ran", "w").close()
    return Evil
"""
RUN = b"X\x18\x00\x00\x00open('ran', 'w').close()"
CODE: dict[str, bytes] = {
    "GLOBAL": b"\x80\x02cevil\nEvil\n.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x04evil\x8c\x04Evil\x93.",
    "a deep GLOBAL": b"\x80\x04\x8c\x04evil\x8c\x0dEvil.__init__\x93.",
    "REDUCE of exec": b"\x80\x02cbuiltins\nexec\n" + RUN + b"\x85R.",
    "REDUCE of os.system": b"\x80\x02cos\nsystem\nX\x09\x00\x00\x00touch ran\x85R.",
    "REDUCE": b"\x80\x02cevil\ncall\n)R.",
    "REDUCE of what REDUCE gave": b"\x80\x02cevil\ncall\n)R)R.",
    "NEWOBJ": b"\x80\x02cevil\nEvil\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04cevil\nEvil\n)}\x92.",
    "INST": b"(" + RUN + b"ibuiltins\nexec\n.",
    "OBJ": b"(cbuiltins\nexec\n" + RUN + b"o.",
    "BUILD": b"\x80\x02cevil\nEvil\n)\x81K\x01b.",
    "APPEND": b"\x80\x02cevil\nEvil\n)\x81K\x01a.",
    "APPENDS": b"\x80\x02cevil\nEvil\n)\x81(K\x01K\x02e.",
    "ADDITEMS": b"\x80\x04cevil\nEvil\n)\x81(K\x01K\x02\x90.",
    "SETITEM": b"\x80\x02cevil\nEvil\n)\x81K\x01K\x02s.",
    "SETITEMS": b"\x80\x02cevil\nEvil\n)\x81(K\x01K\x02u.",
    "EXT1": b"\x80\x02\x82\xf0" + RUN + b"\x85R.",
    "EXT2": b"\x80\x02\x83\xf0\xf0" + RUN + b"\x85R.",
    "EXT4": b"\x80\x02\x84\xf0\xf0\xf0\x00" + RUN + b"\x85R.",
    "a key": b"\x80\x02}cevil\ncall\n)RK\x01s.",
    "an argument": b"\x80\x02ccollections\nOrderedDict\n(]cevil\ncall\n)RK\x01\x86atR.",
    "an array's bytes": b"\x80\x02cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\0\0\0f4"
    b"\x85Rcevil\ncall\n)R\x86R.",
    "a set": b"\x80\x02c__builtin__\nset\n(]cevil\ncall\n)RatR.",
    "copyreg": b"\x80\x02ccopyreg\n__newobj__\ncevil\nEvil\n\x85R.",
    "getattr": b"\x80\x02cbuiltins\ngetattr\ncevil\nEvil\nX\x05\0\0\0touch\x86R.",
}


def in_zip(code: bytes) -> bytes:
    return zipped(lambda members: members.update({"archive/data.pkl": code}))


def in_stream(code: bytes) -> bytes:
    return b"".join(pickle.dumps(said, 2) for said in (0x1950A86A20F9469CFC6C, 1001, {})) + code + pickle.dumps([], 2)


def in_storage(code: bytes) -> bytes:
    inner = in_stream(code)
    return b"\x80\x03ctorch.storage\n_load_from_bytes\nB" + struct.pack("<L", len(inner)) + inner + b"\x85R."


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "pickle": lambda code: code,
    "zip": in_zip,
    "stream": in_stream,
    "storage": in_storage,
}


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that can be imported, and names for EXT opcodes."""
    (tmp_path / "evil.py").write_text(EVIL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    numbers = (0xF0, 0xF0F0, 0xF0F0F0)
    for number, name in zip(numbers, ("exec", "eval", "print")):
        copyreg.add_extension("builtins", name, number)
    yield
    for number, name in zip(numbers, ("exec", "eval", "print")):
        copyreg.remove_extension("builtins", name, number)
    sys.modules.pop("evil", None)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("what", CODE)
def test_nothing_is_called_or_imported(cli: Cli, evil: None, what: str, container: str) -> None:
    read_or_refused(CONTAINERS[container](b"N."), Path("x.pth"))  # zipfile imports a codec
    modules, files = set(sys.modules), set(os.listdir())
    read_or_refused(CONTAINERS[container](CODE[what]), Path("x.pth"))
    assert set(sys.modules) == modules
    result = cli("import", "x.pth", "--as", "x")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert "evil" not in sys.modules
    assert set(os.listdir()) == files


@pytest.mark.parametrize("what", [what for what in CODE if what not in ("EXT2", "EXT4", "an array's bytes")])
def test_pickle_itself_would_have_run_it(evil: None, what: str) -> None:
    """The control: each of these does something when it is loaded as most programs load it."""
    with contextlib.suppress(AttributeError, TypeError):  # of what it makes of the result
        pickle.loads(CODE[what])
    assert Path("ran").exists()


# ------------------------------------------------------------------------------------------------ bounds


def call(module: str, name: str) -> bytes:
    return b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93"


def again(function: bytes, args: bytes, times: int) -> bytes:
    """One call with the same arguments, over and over."""
    return b"\x80\x04(" + function + b"q\x00" + args + b"q\x01" + b"h\x00h\x01R" * times + b"t."


def bomb() -> bytes:
    """A list of two lists that are one, a hundred deep: 2**100 values to whoever walks it as a tree."""
    levels = b"".join(b"(h" + bytes([i]) + b"h" + bytes([i]) + b"lq" + bytes([i + 1]) for i in range(100))
    return b"\x80\x02]q\x00" + levels


def storage(size: int) -> tuple[bytes, bytes]:
    """A storage that was pickled by itself: the call, and its arguments."""
    stream = saved(torch.zeros(size, dtype=torch.uint8).untyped_storage(), _use_new_zipfile_serialization=False)
    return call("torch.storage", "_load_from_bytes"), b"B" + struct.pack("<L", len(stream)) + stream + b"\x85"


ENDLESS: dict[str, tuple[Callable[[], bytes], str]] = {
    "opcodes": (lambda: b"\x80\x02" + b"N" * bounds.MOST_OPCODES + b".", "opcodes"),
    "marks": (lambda: b"\x80\x02" + b"(" * 20_000 + b".", "nested"),
    "a length": (lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".", "it declares"),
    "a length of text": (lambda: b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b".", "it declares"),
    "a length of 4 GB": (lambda: b"\x80\x04B\xff\xff\xff\xff.", "it declares"),
    "a number": (lambda: b"\x80\x02\x8b" + struct.pack("<L", 600) + b"\x7f" * 600 + b".", "bits"),
    "a number in words": (lambda: b"L" + b"9" * 100_000 + b"L\n.", "4300"),
    "a place in the memo": (lambda: b"\x80\x02Nr\xff\xff\xff\xff.", "memo"),
    "a name": (lambda: b"c" + b"a" * 5000 + b"\nb\n.", "longer than"),
    "a protocol": (lambda: b"\x80\x06N.", "protocol"),
    "buffers": (lambda: b"\x80\x05\x97.", "NEXT_BUFFER"),
    "numbers as keys": (
        lambda: b"\x80\x04}(" + b"".join(b"\x8a\x10" + (k * (2**61 - 1)).to_bytes(16, "little") + b"N"
                                         for k in range(1, 99)) + b"u.",
        "as a key",
    ),
    "tuples as keys": (lambda: b"\x80\x04}(" + b"K\x01K\x02\x86N" * 2000 + b"u.", "as keys"),
    "deep tuples as keys": (lambda: b"\x80\x04}N" + b"\x85" * 100_000 + b"Ns.", "as keys"),
    "sets of a list": (
        lambda: again(call("builtins", "set"), b"](" + b"K\x01" * 100_000 + b"e\x85", 10_000),
        "far more bytes",
    ),
    "arguments": (
        lambda: again(call("torch._utils", "_rebuild_parameter"), b"(" + b"N" * 100_000 + b"t", 10_000),
        "far more bytes",
    ),
    "bytes out of text": (
        lambda: again(
            call("_codecs", "encode"), b"X" + struct.pack("<L", 2**22) + b"a" * 2**22 + b"\x8c\x06latin1\x86", 10_000
        ),
        "far more bytes",
    ),
    "streams in storages": (lambda: again(*storage(3), 100_000), "opcodes"),
    "large streams in storages": (lambda: again(*storage(2**24), 1000), "far more bytes"),
    "a bomb for a dtype": (
        lambda: bomb() + b"q\xf00" + call("numpy.core.multiarray", "scalar") + b"h\xf0C\x01a\x86R.", "invalid dtype",
    ),
    "a bomb for an encoding": (lambda: bomb() + b"q\xf00" + call("_codecs", "encode") + b"h\xf0h\xf0\x86R.", "encodes"),
    "a bomb as a persistent id": (lambda: in_zip(bomb() + b"Q."), "does not name a storage"),
    "a storage without end": (
        lambda: in_stream(
            b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0kX\x03\0\0\0cpu\x8a\x06" + b"\xff" * 5
            + b"\x0fNtQ."
        ),
        "larger tensors than it holds",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_is_one_line(place: Path, what: str) -> None:
    """In time and memory that the file's size allows."""
    make, says = ENDLESS[what]
    start = time.process_time()
    with pytest.raises(UserError, match=rf"^{place} cannot be read: [^\n]*{says}"):
        read(make(), place)
    assert time.process_time() - start < 8


@pytest.mark.parametrize(
    "content",
    [bomb() + b".", b"\x80\x04N" + b"\x85" * 300_000 + b".", b"\x80\x04ca\nb\n" + b")R" * 200_000 + b".",
     b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b"."],
    ids=["a bomb", "tuples", "records", "lists"],
)  # fmt: skip
def test_what_is_deep_is_read_and_said_in_one_line(cli: Cli, content: bytes) -> None:
    Path("x.pth").write_bytes(content)
    result = cli("import", "x.pth", "--as", "x")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert len(result.err) < 1000


@given(st.binary(max_size=60), st.sampled_from(list(CONTAINERS)))
def test_any_bytes_are_read_or_one_line(place: Path, content: bytes, container: str) -> None:
    read_or_refused(CONTAINERS[container](b"N."), place)
    modules = set(sys.modules)
    read_or_refused(CONTAINERS[container](content), place)
    assert set(sys.modules) == modules


@given(st.data())
def test_spoiled_files_are_read_or_one_line(place: Path, data: st.DataObject) -> None:
    state = {"a": torch.arange(9.0).reshape(3, 3).t(), "b": np.ones(3), "c": argparse.Namespace(x=1)}
    form = data.draw(st.sampled_from(("zip", "stream", "pickle")))
    content = bytearray(
        pickle.dumps(state, 4) if form == "pickle" else saved(state, _use_new_zipfile_serialization=form == "zip")
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    read_or_refused(bytes(content), place)


def test_no_device_or_pipe_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in ((tmp_path / "pipe", "a pipe"), (tmp_path, "a folder"), (tmp_path / "none", "No such file")):
        with pytest.raises(UserError, match=says):
            torch_files.load(path)


def test_a_file_that_is_too_large_is_not_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LARGEST", 100)
    with pytest.raises(UserError, match="at most 100 are read"):
        read(pickle.dumps(b"a" * 101), place)
