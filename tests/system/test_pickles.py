"""Pickles are what Python and NumPy read in them; objects are records, and arrays that are none are one line."""

import argparse
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy._core import multiarray, numeric
from torch import nn

from gancli.errors import UserError
from gancli.system.untrusted.pickles import Name, Record
from tests.conftest import Cli
from tests.system.pickling import Call, read, saved

PROTOCOLS = range(6)


# ------------------------------------------------------------------------------------------------ plain values

atoms = st.none() | st.booleans() | st.integers(-(2**59), 2**59) | st.floats(allow_nan=False) | st.text() | st.binary()
keys = atoms | st.tuples(atoms, atoms)
plain = st.recursive(
    atoms | st.sets(atoms) | st.frozensets(atoms) | st.integers(-(2**4000), 2**4000),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner, inner) | st.tuples(inner),
    max_leaves=20,
)


@given(plain, st.sampled_from(PROTOCOLS))
def test_plain_values_are_what_pickle_reads(place: Path, value: Any, protocol: int) -> None:
    said = repr(value) if protocol else None  # protocol 0 says 0.0 and -0.0 as text, True as 01
    held = read(pickle.dumps(value, protocol), place)
    assert held == value
    assert said is None or repr(held) == said or "{" in said  # sets have no order


def test_what_holds_itself_is_read(place: Path) -> None:
    ring: list[Any] = []
    loop: dict[str, Any] = {"ring": ring}
    ring += [loop, ring]
    held = read(pickle.dumps(loop), place)
    assert held["ring"][1] is held["ring"]
    assert held["ring"][0] is held


# ------------------------------------------------------------------------------------------------ objects


class EasyDict(dict[str, Any]):
    """A dict subclass, as configurations often are."""


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, 2


class Picky:
    def __new__(cls, **_named: Any) -> "Picky":
        return super().__new__(cls)

    def __getnewargs_ex__(self) -> Any:
        return (), {"size": 3}


class Stack(list[int]):
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_are_records_of_their_class_and_state(place: Path, protocol: int) -> None:
    namespace = argparse.Namespace(lr=0.1, net=torch.zeros(2))
    held = read(pickle.dumps({"args": namespace, "kw": EasyDict(width=3), "list": Stack([1, 2])}, protocol), place)
    assert all(isinstance(record, Record) for record in held.values())
    assert held["args"].name == "argparse.Namespace"
    assert held["args"].fields()["lr"] == 0.1
    assert torch.equal(held["args"].fields()["net"], torch.zeros(2))
    assert held["kw"].name.endswith(".EasyDict")
    assert held["kw"].fields() == {"width": 3} or held["kw"].args == ({"width": 3},)  # protocol 0 and 1
    assert held["list"].members == [1, 2] or held["list"].args == ([1, 2],)


@pytest.mark.parametrize("protocol", PROTOCOLS[2:])
def test_slots_arguments_and_functions_are_kept(place: Path, protocol: int) -> None:
    held = read(pickle.dumps([Slotted(), Picky(), len, torch.bfloat16], protocol), place)
    assert held[0].fields() == {"a": 1, "b": 2}
    assert held[1].kwargs == {"size": 3} or held[1].function.name == "functools.partial"  # protocol 2 and 3
    assert held[2] == Name("builtins" if protocol > 2 else "__builtin__", "len")
    assert held[3] == Name("torch", "bfloat16")


def _reconstruct_persistent_obj(_meta: Any) -> None:
    raise AssertionError("nothing is called")


@pytest.mark.parametrize("protocol", PROTOCOLS[2:])
def test_nets_that_carry_their_source_are_records(place: Path, protocol: int) -> None:
    """As NVlabs writes them: pickled, not saved by torch, with storages that are streams of torch.save."""
    weight = nn.Parameter(torch.arange(6.0).reshape(2, 3).t())
    state = {"_parameters": {"weight": weight}, "gain": np.float32(2), "size": np.array([4, 4]), "_modules": {}}
    meta = {"type": "class", "module_src": "raise SystemExit\n" * 99, "class_name": "G", "state": state}
    held = read(pickle.dumps({"G_ema": Call(_reconstruct_persistent_obj, (meta,))}, protocol), place)["G_ema"]
    assert held.name.endswith("._reconstruct_persistent_obj")
    (found,) = held.args
    assert found["class_name"] == "G"
    assert torch.equal(found["state"]["_parameters"]["weight"], weight)
    assert found["state"]["_parameters"]["weight"].stride() == weight.stride()
    assert (found["state"]["gain"], found["state"]["size"].tolist()) == (2, [4, 4])


def test_whole_modules_are_records(place: Path) -> None:
    linear = nn.Linear(2, 3)
    net = nn.Sequential(linear, nn.BatchNorm2d(3))
    for zipped in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch cannot find the source of a class
            held = read(saved(net, _use_new_zipfile_serialization=zipped), place)
        layer = held.fields()["_modules"]["0"]
        assert (held.name, layer.name) == ("torch.nn.modules.container.Sequential", "torch.nn.modules.linear.Linear")
        assert torch.equal(layer.fields()["_parameters"]["weight"], linear.weight)


def test_forms_of_dill_and_of_old_pythons(place: Path) -> None:
    dill = b"\x80\x03cdill._dill\n_load_type\nX\x03\x00\x00\x00set\x85R]K\x01a\x85R."
    assert read(dill, place) == {1}
    python2 = b"\x80\x02c__builtin__\nset\n](K\x01K\x02e\x85R."
    assert read(python2, place) == {1, 2}
    made = b"cnumpy.core.multiarray\n_reconstruct\n"
    what = b"cnumpy\nndarray\nK\x00\x85U\x01b\x87"
    dtype = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state = b"(K\x01K\x02\x85" + dtype + b"\x89U\x08\0\0\x80?\0\0\0@t"
    assert read(b"\x80\x02" + made + what + b"R" + state + b"b.", place).tolist() == [1, 2]
    dill = b"\x80\x03cdill._dill\n_create_array\n(" + made + what + state + b"NtR."
    assert read(dill, place).tolist() == [1, 2]


# ------------------------------------------------------------------------------------------------ NumPy


NUMBERS = ("?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", ">u4", "<i8", ">i8", "u8", "<f2", "<f4", ">f4", ">f8")


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype = np.dtype(draw(st.sampled_from(NUMBERS)))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    raw = draw(st.binary(min_size=size, max_size=size))
    array = np.frombuffer(raw, np.uint8) % 2 > 0 if dtype.kind == "b" else np.frombuffer(raw, dtype)
    array = array.reshape(shape)
    way = draw(st.sampled_from(("plain", "fortran", "steps", "axes", "scalar", "writable")))
    if way == "scalar" and array.size:
        return array.flat[0]
    if way == "axes":
        return array.copy().transpose(draw(st.permutations(range(array.ndim))))
    return {"fortran": np.asfortranarray, "steps": lambda a: a[..., ::2] if a.ndim else a, "writable": np.copy}.get(
        way, lambda a: a
    )(array)


@given(arrays(), st.sampled_from(PROTOCOLS))
def test_arrays_are_what_numpy_reads(place: Path, array: Any, protocol: int) -> None:
    held, twice = read(pickle.dumps([array, array], protocol), place)
    assert type(held) is type(array)
    assert held.dtype == array.dtype.newbyteorder("=")
    assert held.shape == array.shape
    assert held.tobytes() == array.astype(held.dtype).tobytes()
    assert twice.tobytes() == held.tobytes()
    if isinstance(array, np.ndarray):
        assert twice is held


FIELDS = Call(np.dtype, ("V8", False, True), (3, "|", None, ("f",), {"f": (np.dtype("O"), 0)}, 8, 1, 0))
REBUILD = (multiarray._reconstruct, (np.ndarray, (0,), b"b"))
WRONG_ARRAYS: dict[str, Any] = {
    "objects over bytes": Call(*REBUILD, (1, (1,), np.dtype("O"), False, b"A" * 8)),
    "fields of objects": Call(*REBUILD, (1, (1,), FIELDS, False, b"A" * 8)),
    "fields of objects in a buffer": Call(numeric._frombuffer, (b"A" * 8, FIELDS, (1,), "C")),  # pyright: ignore[reportAttributeAccessIssue]
    "objects": np.array([{}, 1], object),
    "text": np.array(["a"]),
    "dates": np.array(["2026-01-01"], "M8[D]"),
    "complex": np.ones(2, np.complex64),
    "long doubles": np.ones(2, np.longdouble),
    "fields": np.zeros(2, [("a", "f4"), ("b", "i4")]),
    "too few bytes": Call(*REBUILD, (1, (3,), np.dtype("f4"), False, b"A" * 8)),
    "too many bytes": Call(*REBUILD, (1, (1,), np.dtype("f4"), False, b"A" * 8)),
    "half a number": Call(*REBUILD, (1, (2,), np.dtype("f4"), False, b"A" * 7)),
    "a size below zero": Call(*REBUILD, (1, (-1, -2), np.dtype("f4"), False, b"A" * 8)),
    "axes without end": Call(*REBUILD, (1, (1,) * 999, np.dtype("f4"), False, b"A" * 4)),
    "a size without end": Call(*REBUILD, (1, (0, 2**63, 2**63), np.dtype("f4"), False, b"")),
    "not bytes": Call(*REBUILD, (1, (1,), np.dtype("f4"), False, [1])),
    "no state": Call(*REBUILD, {"a": 1}),
    "no dtype": Call(*REBUILD, (1, (1,), print, False, b"A" * 8)),
    "a scalar of two numbers": Call(multiarray.scalar, (np.dtype("f4"), b"A" * 8)),
}


@pytest.mark.parametrize("what", WRONG_ARRAYS)
def test_other_arrays_are_one_line(cli: Cli, what: str) -> None:
    """Each as the statistics of `eval --stats`, which runs this far only with a reader that does not crash."""
    from gancli.evaluation import stats_files

    Path("x.pkl").write_bytes(
        pickle.dumps({"num_items": 1, "raw_mean": WRONG_ARRAYS[what], "raw_cov": np.zeros((1, 1))})
    )
    with pytest.raises(UserError, match=r"^--stats x\.pkl does not contain mu and sigma: [^\n]+$"):
        stats_files.read(Path("x.pkl"))


def test_truth_is_zero_or_one(place: Path) -> None:
    wrong = np.array([0, 1, 2, 255], np.uint8).view(np.bool_)
    for protocol in PROTOCOLS:
        held = read(pickle.dumps([wrong, wrong[2]], protocol), place)
        assert held[0].view(np.uint8).tolist() == [0, 1, 1, 1]
        assert held[1]


def test_an_array_made_by_its_class_stays_a_record(place: Path) -> None:
    """This alone crashes a reader that lets pickles call np.ndarray."""
    held = read(pickle.dumps(Call(np.ndarray, ((1,), np.dtype("O"), b"A" * 8))), place)
    assert (type(held), held.name) == (Record, "numpy.ndarray")
