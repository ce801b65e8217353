"""Bytes to [-1, 1] and back: one function each way."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gancli
from gancli.images.pixels import to_bytes, to_floats

ROOT = Path(gancli.__file__).parent
BYTES = torch.arange(256, dtype=torch.uint8).reshape(1, 4, 8, 8)
FORMULAS = (  # what stood in seven places
    lambda x: x.float().div_(127.5).sub_(1),
    lambda x: x.float() / 127.5 - 1,
)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_every_byte_becomes_the_same_bits_as_ever_and_comes_back(formula, layout) -> None:
    given = BYTES.contiguous(memory_format=layout)
    floats = to_floats(given)
    assert torch.equal(floats.view(torch.int32), formula(given).view(torch.int32))
    assert (floats.dtype, floats.stride()) == (torch.float32, given.stride())
    assert torch.equal(to_bytes(floats), given)
    assert (float(floats.min()), float(floats.max())) == (-1, 1)


def test_what_is_given_stays_as_it_was() -> None:
    """As floats too, which are resized images."""
    given = BYTES.float()
    to_floats(given)
    to_bytes(given)
    assert torch.equal(given, BYTES.float())


@given(st.floats(-3, 3, width=32))
def test_bytes_are_the_nearest_in_range(value: float) -> None:
    found = float(to_bytes(torch.tensor(value)))
    assert abs(found - min(max((value + 1) * 127.5, 0), 255)) <= 0.5001


def test_no_other_file_converts() -> None:
    """One idea, one place."""
    places = [path for path in ROOT.rglob("*.py") if re.search(r"\b127\.5\b", path.read_text())]
    assert places == [ROOT / "images" / "pixels.py"]
