"""Headers of idx and npz files that were made to do harm: one line, at once, and in bounded memory."""

import gzip
import struct
import time
import zipfile
from pathlib import Path

import pytest

from gancli.data.request import Request
from gancli.errors import UserError
from tests.conftest import Cli
from tests.data.sources import idx, opened

IDX = {
    "no rows of pixels": idx((2**20, 0, 16)),
    "no columns": idx((2**20, 16, 0)),
    "no images": idx((0, 16, 16)),
    "255 axes": idx((1,) * 255),
    "255 axes of many": idx((2**32 - 1,) * 255, data=b""),
    "65 axes": idx((1,) * 65),
    "five axes": idx((1,) * 5),
    "no axis": idx(()),
    "labels": idx((16,)),
    "floats": idx((4, 8, 8), 13),
    "signed bytes": idx((4, 8, 8), 9),
    "no such type": idx((4, 8, 8), 0),
    "nine channels": idx((2, 8, 8, 9)),
    "more than there is": idx((2**31, 2, 2)),
    "a picture beyond the bound": idx((1, 2**14, 2**13), data=bytes(2**27)),
    "cut in its header": b"\0\0\x08\x03\0\0",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", IDX)
def test_idx_headers(what: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("train-images-idx3-ubyte" + ".gz" * packed)
    path.write_bytes(gzip.compress(IDX[what], 1) if packed else IDX[what])
    before = time.process_time()
    for source in (path, tmp_path):
        with pytest.raises(UserError) as error:
            opened(source)
        assert len(str(error.value).splitlines()) == 1
    assert time.process_time() - before < 5


HEADERS = {
    "no end": b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 8, 8), } 'x': (",
    "null characters": b"{'descr': '|u1',\0 'fortran_order': False, 'shape': (2, 8, 8)",
    "no shape": b"{'descr': '|u1', 'fortran_order': False}",
    "a shape of words": b"{'descr': '|u1', 'fortran_order': False, 'shape': ('x', 8, 8)}",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 8, 8)}",
    "more than there is": b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 8, 8)}",
    "a code": b"__import__('os').mkdir('escaped')",
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("what", HEADERS)
def test_npz_headers(what: str, method: int, tmp_path: Path, cli: Cli) -> None:
    text = HEADERS[what].ljust(117) + b"\n"
    with zipfile.ZipFile("x.npz", "w", method) as archive:
        archive.writestr("images.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(128))
    done = cli("train", "gan", "--data", "x.npz", "--dry-run")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert [path.name for path in Path().iterdir()] == ["x.npz"]


def test_a_million_rows_are_a_list_that_costs_nothing(tmp_path: Path) -> None:
    from gancli.data.sources.open import list_source

    (tmp_path / "images-idx3").write_bytes(idx((2**22, 1, 1), data=bytes(2**22)))
    before = time.process_time()
    assert len(list_source(Request(str(tmp_path / "images-idx3"))).items) == 2**22
    assert time.process_time() - before < 1
