"""Replacements for the functions that pickles call to make plain values and NumPy arrays.

Arrays hold numbers of a fixed size or booleans, and as many bytes as their shape requires. They may be read-only.
"""

import math
from typing import Any

import numpy as np

from gancli.system.untrusted.pickles import Form, Machine, Name, Record, named

FIXED = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
MOST_AXES = 32
ITEM = 1000  # bytes counted per item of a set or dict: more than its memory, to account for its time


# ------------------------------------------------------------------------------------------------ plain values


def _set(machine: Machine, values: Any = ()) -> Any:
    return set(_copied(machine, values))


def _frozenset(machine: Machine, values: Any = ()) -> Any:
    return frozenset(_copied(machine, values))


def _copied(machine: Machine, values: Any) -> Any:
    if not isinstance(values, list | tuple | set | frozenset):
        raise ValueError("it is damaged: a set is built from something that is not a list")
    machine.bounds.take(ITEM * len(values))
    return map(machine.bounds.key, values)


def _dict(machine: Machine, pairs: Any = ()) -> Any:
    """Replace OrderedDict: plain dicts are ordered."""
    if not isinstance(pairs, list | tuple):
        raise ValueError("it is damaged: a dict is built from something that is not a list")
    machine.bounds.take(ITEM * len(pairs))
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError("it is damaged: a dict is built from items that are not pairs")
    return {machine.bounds.key(key): value for key, value in pairs}


def _encode(machine: Machine, text: Any, encoding: Any = "latin1") -> Any:
    """Return bytes from their form in protocols that lack them."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("it encodes text in an encoding other than latin1")
    machine.bounds.take(len(text))
    return text.encode("latin1")


def _bytes(_machine: Machine) -> bytes:
    """Return empty bytes, which protocol 2 writes as a call."""
    return b""


def _reconstructed(_machine: Machine, kind: Any, base: Any, plain: Any) -> Any:
    """Return an object of protocol 0 or 1: of a plain class, or of a subclass of dict, list, … with its content."""
    return Record(_named(kind), () if named(base).endswith(".object") else (plain,))


def _new(machine: Machine, kind: Any, *args: Any) -> Any:
    return machine.call(kind, args)


def _new_ex(machine: Machine, kind: Any, args: Any, kwargs: Any) -> Any:
    return machine.call(kind, args, kwargs)


def _type_by_name(_machine: Machine, name: Any) -> Any:
    """Return a built-in class from dill's form of its name."""
    if not isinstance(name, str):
        raise ValueError("it is damaged: a name is not text")
    return Name("builtins", name)


def _named(value: Any) -> Name | Record:
    if not isinstance(value, Name | Record):
        raise ValueError("it is damaged: a class is not given by name")
    return value


# ------------------------------------------------------------------------------------------------ arrays


def _dtype(record: Any) -> "np.dtype[Any]":
    """Return the dtype of a record; raise ValueError for objects, fields, text and all others not in FIXED."""
    if not isinstance(record, Record) or record.name != "numpy.dtype" or not record.args:
        raise ValueError("it is damaged: an array has an invalid dtype")
    said, order = record.args[0], "="
    code = said[:40].lstrip("<>=|") if isinstance(said, str) else named(said)
    if code not in FIXED:
        raise ValueError(f"it holds an array of {code or 'nothing'}; only numbers of a fixed size are supported")
    if isinstance(record.state, tuple):
        _version, order, *rest = (*record.state, None, None)
        if order not in ("<", ">", "=", "|") or any(part is not None for part in rest[:3]):
            raise ValueError("it holds an array with fields, which is not supported")
    return np.dtype(code).newbyteorder(">" if order == ">" else "<")


def _numbers(machine: Machine, raw: Any, dtype: "np.dtype[Any]") -> "np.ndarray[Any, Any]":
    """Read numbers from bytes, or from text as Python 2 wrote it."""
    if isinstance(raw, str):
        raw = _encode(machine, raw)
    if not isinstance(raw, bytes | bytearray):
        raise ValueError(f"it is damaged: an array's data is a {named(raw)}")
    if len(raw) % dtype.itemsize:
        raise ValueError(f"it is damaged: {len(raw):,} bytes do not divide into numbers of {dtype.itemsize}")
    if dtype.kind == "b":  # NumPy miscounts booleans whose byte is neither 0 nor 1
        machine.bounds.take(len(raw))
        return np.frombuffer(raw, np.uint8) != 0
    flat = np.frombuffer(raw, dtype)
    if flat.dtype.isnative:
        return flat
    machine.bounds.take(flat.nbytes)
    return flat.astype(flat.dtype.newbyteorder("="))


def _shaped(flat: "np.ndarray[Any, Any]", shape: Any, order: Any) -> "np.ndarray[Any, Any]":
    if not isinstance(shape, tuple) or len(shape) > MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("it is damaged: an array has an invalid shape")
    if math.prod(shape) != flat.size:
        raise ValueError(f"it is damaged: an array of shape {list(shape)[:8]} has {flat.size:,} numbers")
    return flat.reshape(shape, order=order)


def _array(machine: Machine, kind: Any, _shape: Any = (0,), _code: Any = b"b") -> Record:
    """Return a record of an empty array, which its state will fill; subclasses stay records."""
    record = Record(Name("numpy.core.multiarray", "_reconstruct"), (kind,))
    if named(kind) != "numpy.ndarray":
        return record

    def finish(state: Any) -> Any:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise ValueError("it is damaged: an array has an invalid state")
        shape, dtype, fortran, raw = state[-4:]
        return _shaped(_numbers(machine, raw, _dtype(dtype)), shape, "F" if fortran else "C")

    record.finish = finish
    return record


def _array_of_dill(machine: Machine, function: Any, args: Any, state: Any, _attributes: Any = None) -> Any:
    """Return an array as dill writes it, with its state among the arguments."""
    made = machine.call(function, args)
    if isinstance(made, Record):
        made.state = state
    return made.finish(state) if isinstance(made, Record) and made.finish else made


def _buffer(machine: Machine, raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> Any:
    """Return an array of protocol 5."""
    flat = _numbers(machine, raw, _dtype(dtype))
    if order != "K":
        return _shaped(flat, shape, "F" if order == "F" else "C")
    if not isinstance(axes, tuple) or len(axes) > MOST_AXES or not all(type(axis) is int for axis in axes):
        raise ValueError("it is damaged: an array has an invalid order of axes")
    return _shaped(flat, shape, "C").transpose(axes)


def _scalar(machine: Machine, dtype: Any, raw: Any = b"") -> Any:
    numbers = _numbers(machine, raw, _dtype(dtype))
    if numbers.size != 1:
        raise ValueError(f"it is damaged: a scalar holds {numbers.size:,} numbers")
    return numbers[0]


FORMS: dict[str, Form] = {
    **{f"{home}.set": _set for home in ("builtins", "__builtin__")},
    **{f"{home}.frozenset": _frozenset for home in ("builtins", "__builtin__")},
    **{f"{home}.bytes": _bytes for home in ("builtins", "__builtin__")},
    "collections.OrderedDict": _dict,
    "_codecs.encode": _encode,
    **{f"{home}._reconstructor": _reconstructed for home in ("copyreg", "copy_reg")},
    **{f"{home}.__newobj__": _new for home in ("copyreg", "copy_reg")},
    **{f"{home}.__newobj_ex__": _new_ex for home in ("copyreg", "copy_reg")},
    **{f"{home}._load_type": _type_by_name for home in ("dill._dill", "dill.dill")},
    **{f"{home}._create_array": _array_of_dill for home in ("dill._dill", "dill.dill")},
    **{f"numpy.{home}.multiarray._reconstruct": _array for home in ("core", "_core")},
    **{f"numpy.{home}.multiarray.scalar": _scalar for home in ("core", "_core")},
    **{f"numpy.{home}.numeric._frombuffer": _buffer for home in ("core", "_core")},
}
