"""The images that a user names: one reader, one line for whatever is wrong with them."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gancli
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.images import reading, roundtrip
from gancli.images.writing import read_about
from gancli.inference import user_images
from gancli.inference.translation.jobs import Job
from gancli.inference.translation.pipeline import _read

SPEC = DataSpec(3, 8, 12)
ROOT = Path(gancli.__file__).parent


@pytest.fixture(autouse=True)
def never_for_ever() -> Iterator[None]:
    """A pipe that is opened blocks until somebody writes."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it blocks"))
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def raising(error: Exception) -> Callable[..., None]:
    def raises(*_: object, **__: object) -> None:
        raise error

    return raises


def test_all_commands_read_an_image_to_the_same_bits(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (item,) = user_images.pictures_in(tmp_path / "x.png")
    one = user_images.read_image(item, SPEC)
    (frame,) = roundtrip.load(tmp_path / "x.png").frames
    ((path, image),) = user_images.images_at(tmp_path / "x.png", SPEC, "--images")
    assert path == tmp_path / "x.png"
    assert torch.equal(image, one)
    assert torch.equal(roundtrip.to_tensor(frame, 3)[0], one)
    assert torch.equal(one, torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1)


@pytest.mark.parametrize("error", [AssertionError("a"), NotImplementedError("b"), RecursionError(), KeyError("c")])
def test_whatever_a_reader_raises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Pillow's readers are other people's programs."""
    path = tmp_path / "x.png"
    Image.new("RGB", (4, 4)).save(path)
    monkeypatch.setattr(Image, "open", raising(error))
    with pytest.raises(UserError, match=r"^--images .*x\.png cannot be read: "):
        list(user_images.images_at(path, SPEC, "--images"))
    with pytest.raises(UserError, match=r"^--mask .*x\.png cannot be read: .*x,y,w,h"):
        roundtrip.hole(str(path), (4, 4))
    with pytest.raises(UserError, match="is not a PNG that gancli sample wrote"):
        read_about(path)
    assert isinstance(_read(Job(path, None), None), UserError)


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="no such file"):
        list(user_images.images_at(pipe, SPEC, "--images"))
    with pytest.raises(UserError, match="is a pipe"):
        roundtrip.hole(str(pipe), (4, 4))
    with pytest.raises(UserError, match="is a pipe"):
        read_about(pipe)
    assert "is a pipe" in str(_read(Job(pipe, None), None))


def test_what_unreadable_images_raise_is_listed_where_images_are_read_and_nowhere_else() -> None:
    lists = [path for path in ROOT.rglob("*.py") if "DecompressionBomb" in path.read_text()]
    assert lists == [Path(reading.__file__)]
