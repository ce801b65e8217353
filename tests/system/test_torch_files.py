"""Files of torch.save are what torch reads in them, to the bit; all that is not read is one line."""

import argparse
import collections
import io
import pickle
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gancli.errors import UserError
from gancli.system.untrusted import torch_files
from gancli.system.untrusted.pickled_tensors import Storage
from tests.conftest import Cli
from tests.system.pickling import Call, read, saved, zipped

# ------------------------------------------------------------------------------------------------ torch


LATER = (torch.uint16, torch.uint32, torch.uint64)  # torch writes them into streams, and cannot read them there
DTYPES = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint8, torch.bool, *LATER),
)


@st.composite
def views(draw: st.DrawFn) -> list[Tensor]:
    """Some tensors that look at one storage."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    raw = torch.tensor(list(draw(st.binary(min_size=size, max_size=size))), dtype=torch.uint8)
    base = (raw % 2 if dtype is torch.bool else raw).view(dtype).reshape(shape)
    found = [base]
    for _ in range(draw(st.integers(0, 3))):
        view = found[-1].permute(draw(st.permutations(range(base.dim()))))
        for axis, length in enumerate(view.shape):
            start, step = draw(st.integers(0, length)), draw(st.integers(1, 3))
            view = view.movedim(axis, 0)[start::step].movedim(0, axis)
        found.append(view)
    return [nn.Parameter(t, requires_grad=False) if draw(st.booleans()) else t for t in found]


trees = st.recursive(
    views() | views().map(lambda held: collections.OrderedDict(enumerate(held))) | st.text() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [list(value), *leaves(list(value.values()))]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def same(ours: Any, theirs: Any) -> bool:
    if not isinstance(theirs, Tensor):
        return ours == theirs
    shape = (theirs.dtype, theirs.shape, theirs.stride(), theirs.storage_offset())
    if (ours.dtype, ours.shape, ours.stride(), ours.storage_offset()) != shape:
        return False
    ours, theirs = (torch.empty(t.shape, dtype=t.dtype).copy_(t.detach()).flatten() for t in (ours, theirs))
    return torch.equal(ours.view(torch.uint8), theirs.view(torch.uint8))


def sharing(values: list[Any]) -> list[int]:
    places = [t.untyped_storage().data_ptr() for t in values if isinstance(t, Tensor) and t.untyped_storage().nbytes()]
    return [places.index(place) for place in places]


@given(trees, st.booleans(), st.sampled_from((2, 3, 4, 5)))
def test_tensors_are_what_torch_reads(place: Path, tree: Any, zipped: bool, protocol: int) -> None:
    content = saved(tree, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    held = leaves(read(content, place))
    expected = leaves(tree)
    if zipped or not any(isinstance(t, Tensor) and t.dtype in LATER for t in expected):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it knows only protocol 2 well
            expected = leaves(torch.load(place, weights_only=False))
    assert len(held) == len(expected)
    assert all(same(a, b) for a, b in zip(held, expected))
    assert sharing(held) == sharing(expected)


def test_tensors_with_attributes_and_other_signs(place: Path) -> None:
    tensor, parameter = torch.arange(3.0), nn.Parameter(torch.ones(2))
    tensor.said, parameter.said = "x", "y"  # pyright: ignore[reportAttributeAccessIssue]
    negative = torch._neg_view(torch.arange(4.0))  # pyright: ignore[reportPrivateImportUsage]
    held = read(saved([tensor, parameter, negative, torch.arange(3).untyped_storage()]), place)
    assert torch.equal(held[0], tensor)
    assert torch.equal(held[1], parameter)
    assert torch.equal(held[2], -torch.arange(4.0))
    assert isinstance(held[3], Storage)


def test_storages_of_other_machines(place: Path) -> None:
    """Big ends first, as a zip may say; parts of storages and tensors without hooks, as torch 0.3 wrote them."""
    place.write_bytes(saved({"a": torch.arange(3, dtype=torch.int32)}))
    with zipfile.ZipFile(place) as old, zipfile.ZipFile(place.with_suffix(".big"), "w") as new:
        for member in old.infolist():
            content = old.read(member)
            content = b"big" if member.filename.endswith("byteorder") else content
            content = np.arange(3, dtype=">i4").tobytes() if member.filename.endswith("data/0") else content
            new.writestr(member.filename, content)
    assert torch_files.load(place.with_suffix(".big"))["a"].tolist() == [0, 1, 2]
    v1 = b"\x80\x02ctorch._utils\n_rebuild_tensor\n((X\x07\0\0\0storagectorch.cuda\nFloatStorage\nX\x01\0\0\0k"
    v1 += b"X\x06\0\0\0cuda:0K\x04(X\x01\0\0\0vK\x01K\x03ttQK\x01K\x02\x85K\x01\x85tR."
    head = b"".join(pickle.dumps(said, 2) for said in (0x1950A86A20F9469CFC6C, 1001, {}))
    rest = pickle.dumps(["k"], 2) + struct.pack("<q4f", 4, 1, 2, 3, 4)
    assert read(head + v1 + rest, place).tolist() == [3, 4]
    with pytest.raises(UserError, match="cut short"):
        read(head + v1 + rest[:-1], place)
    with pytest.raises(UserError, match="list of storages"):
        read(head + v1 + pickle.dumps([], 2), place)


def looking(offset: Any, size: Any, stride: Any) -> Any:
    """Pickles as a tensor that looks at four numbers in a way of its own."""
    numbers = torch.arange(4.0)
    storage = torch.storage.TypedStorage(wrap_storage=numbers.untyped_storage(), dtype=numbers.dtype, _internal=True)
    rebuild = torch._utils._rebuild_tensor_v2  # pyright: ignore[reportAttributeAccessIssue]
    return Call(rebuild, (storage, offset, size, stride, False, collections.OrderedDict()))


@pytest.mark.parametrize(
    "way", [(0, (4,), (1,)), (3, (), ()), (0, (2, 2), (2, 1)), (1, (2,), (2,)), (9, (0, 3), (3, 1))]
)
def test_tensors_within_their_storage_are_read(place: Path, way: Any) -> None:
    assert read(saved(looking(*way)), place).tolist() == torch.arange(10.0).as_strided(way[1], way[2], way[0]).tolist()


@pytest.mark.parametrize(
    "way",
    [
        *((1, (4,), (1,)), (4, (), ()), (0, (2, 2), (3, 1)), (0, (3,), (2,)), (2**62, (1,), (1,)), (0, (2,), (2**62,))),
        *((-1, (1,), (1,)), (1, (2,), (-1,)), (0, (-2, -2), (1, 1)), (0, (2,), (1, 1)), (0, (1,) * 65, (1,) * 65)),
        *((0, (2,), None), (0, 4, 1), (0, (2.0,), (1,)), (True, (1,), (1,)), (None, (1,), (1,))),
        *((0, (2**62, 0), (1, 1)), (0, (5,), (0,)), (0, (4, 4), (1, 0)), (0, ("2",), (1,))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_beyond_their_storage_are_one_line(place: Path, way: Any, zipped: bool) -> None:
    with pytest.raises(UserError, match=r"cannot be read: it (is damaged: a tensor|holds an expanded)"):
        read(saved(looking(*way), _use_new_zipfile_serialization=zipped), place)


@pytest.mark.parametrize("zipped", [True, False])
def test_truth_is_zero_or_one(place: Path, zipped: bool) -> None:
    wrong = torch.tensor([0, 1, 2], dtype=torch.uint8).view(torch.bool)
    with pytest.raises(UserError, match="neither 0 nor 1"):
        read(saved([wrong], _use_new_zipfile_serialization=zipped), place)


def nested() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls them a prototype
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def jagged() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)


def quantised() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)


def compressed_rows() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.eye(3).to_sparse_csr()


def wrapped_in_itself() -> Any:
    held: dict[str, Any] = {}
    held["state_dict"] = held
    return held


STRANGE: dict[str, tuple[Callable[[], Any], str]] = {
    "sparse": (lambda: torch.eye(3).to_sparse(), "a sparse tensor"),
    "sparse rows": (compressed_rows, "a sparse tensor"),
    "nested": (nested, "a nested tensor"),
    "jagged": (jagged, "a nested tensor"),
    "quantised": (quantised, "a quantised"),
    "meta": (lambda: torch.ones(3, device="meta"), "a meta tensor"),
    "float8": (lambda: torch.ones(3).to(torch.float8_e4m3fn), "a tensor of torch.float8_e4m3fn"),
    "complex": (lambda: torch.ones(3, dtype=torch.complex64), "a complex"),
    "expanded": (
        lambda: torch.ones(1, dtype=torch.int8).expand(1_800_000_000),
        "an expanded tensor: 1,800,000,000 numbers from a storage of 1",
    ),
    "expanded twice": (lambda: torch.ones(2, 1).expand(2, 900_000_000), "an expanded tensor"),
    "in itself": (wrapped_in_itself, "is not a state dict"),
    "an object": (lambda: argparse.Namespace(a=1), "it asks to run argparse.Namespace"),
    "a function": (lambda: print, "it asks to run builtins.print"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("what", STRANGE)
def test_tensors_of_other_kinds_are_one_line(cli: Cli, what: str, zipped: bool) -> None:
    make, says = STRANGE[what]
    held = make()
    Path("x.pth").write_bytes(
        saved(held if isinstance(held, dict) else {"a": held}, _use_new_zipfile_serialization=zipped)
    )
    assert Path("x.pth").stat().st_size < 10_000
    start = time.process_time()
    result = cli("import", "x.pth", "--as", "x")
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1), result.err
    assert says in result.err.replace("__builtin__", "builtins")
    assert not Path("runs").exists()
    assert time.process_time() - start < 5


# ------------------------------------------------------------------------------------------------ zips


def twice() -> bytes:
    stream = io.BytesIO(zipped(lambda _: None))
    with zipfile.ZipFile(stream, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile sees it, too
        archive.writestr("archive/data/0", bytes(400))
    return stream.getvalue()


def central(content: bytes, at: int, value: bytes) -> bytes:
    """Change what the list of members says of the storage."""
    place = content.rindex(b"archive/data/0") - 46 + at
    return content[:place] + value + content[place + len(value) :]


ZIPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "compressed": (lambda: zipped(lambda _: None, compression=zipfile.ZIP_DEFLATED), "compressed"),
    "encrypted": (lambda: central(zipped(lambda _: None), 8, b"\1"), "encrypted"),
    "members of one name": (twice, "of the same name"),
    "a storage that is missing": (lambda: zipped(lambda m: m.pop("archive/data/0")), "lacks archive/data/0"),
    "a storage too short": (lambda: zipped(lambda m: m.update({"archive/data/0": bytes(392)})), "the size"),
    "a flipped bit": (lambda: zipped(lambda _: None).replace(struct.pack("<q", 7), struct.pack("<q", 5)), "CRC"),
    "larger than the file": (lambda: central(zipped(lambda _: None), 20, struct.pack("<2L", *[2**31] * 2)), "declare"),
    "another member's bytes": (lambda: central(zipped(lambda _: None), 42, bytes(4)), "differ"),
    "a TorchScript program": (lambda: zipped(lambda m: m.update({"archive/constants.pkl": b""})), "TorchScript"),
    "two pickles": (lambda: zipped(lambda m: m.update({"b/data.pkl": b"N."})), "exactly once"),
    "an npz": (lambda: npz(), "not one of torch.save's"),
    "members without end": (lambda: zipped(lambda m: m.update({f"{i:0>999}": b"" for i in range(4200)})), "more than"),
}  # fmt: skip


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.ones(3))
    return stream.getvalue()


@pytest.mark.parametrize("what", ZIPS)
def test_other_zips_are_one_line(place: Path, what: str) -> None:
    make, says = ZIPS[what]
    with pytest.raises(UserError, match=rf"^{place} cannot be read: [^\n]*{says}"):
        read(make(), place)


def test_names_that_lead_elsewhere_are_only_names(place: Path) -> None:
    held = read(zipped(lambda m: m.update({"../../escaped": b"x", "/etc/x": b"x"})), place)
    assert torch.equal(held["a"], torch.arange(50))
    assert not list(place.parent.parent.rglob("escaped"))
