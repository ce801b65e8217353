"""`sample --like`: an image of anyone's asks for nothing but what `gancli sample` writes, of a model that is here."""

import json
import os
import socket
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from gancli.checkpoints import published
from gancli.checkpoints.find import find_model
from gancli.errors import UserError
from gancli.images.writing import read_about
from gancli.inference.sampling.like import MOST, repeat
from tests.cli.strangers import chunk
from tests.conftest import Cli, noise_images


@pytest.fixture(scope="module")
def run_of_gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from gancli.cli.main import run

    folder = tmp_path_factory.mktemp("gan")
    small = ("--steps", 1, "--batch", 4, "--width", 4, "--z-dim", 4, "--quiet", "--metrics", "none")
    words = ("train", "gan", "--data", noise_images(folder / "data"), "--out", folder / "run", *small)
    assert run([str(word) for word in words]) == 0
    return folder / "run"


@pytest.fixture
def drawn(cli: Cli, run_of_gan: Path) -> dict[str, Any]:
    """What a real image says."""
    assert cli("sample", run_of_gan, "--seeds", "3,5", "--out", "drawn.png").code == 0
    return read_about(Path("drawn.png"))


def write(said: Any, path: str = "x.png") -> None:
    """Make an image that says something."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt("gancli", said if isinstance(said, str) else json.dumps(said))
    Image.new("L", (4, 4)).save(path, pnginfo=text)


def test_what_sample_writes_is_drawn_again(cli: Cli, drawn: dict[str, Any]) -> None:
    assert cli("sample", "--like", "drawn.png", "--out", "again.png").code == 0
    assert Path("again.png").read_bytes() == Path("drawn.png").read_bytes()


WRONG = {
    "seeds": [3, "3", None, [], [0.5], [1.0], ["1"], [[1]], [True], [-1], [10**12], [10**400], [1] * (MOST + 1), {}],
    "truncation": ["x", -1, [0.5], True, 1e999, float("nan"), 10**400],
    "columns": [0, -1, 0.5, "4", [], True, 10**12],
    "bare": [1, "yes", None, []],
    "class": [1, [], True, {}, "x" * 2000],
    "sha256": [1, None, "", "x", "0" * 64, ["0" * 16]],
    "model": [1, None, "", [], "x" * 5000],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values],
    ids=lambda value: repr(value)[:20],
)
def test_whatever_is_of_another_type_or_range_is_one_line(
    cli: Cli, drawn: dict[str, Any], field: str, value: object
) -> None:
    write(drawn | {field: value})
    result = cli("sample", "--like", "x.png", "--out", "y.png")
    assert (result.code, len(result.err.splitlines()), result.out) == (2, 1, "")
    assert "x.png" in result.err
    assert not Path("y.png").exists()


@pytest.mark.parametrize("field", [*WRONG, "seeds and more"])
def test_what_is_not_said_is_one_line(cli: Cli, drawn: dict[str, Any], field: str) -> None:
    write({key: value for key, value in drawn.items() if not field.startswith(key)})
    result = cli("sample", "--like", "x.png", "--out", "y.png")
    assert (result.code, len(result.err.splitlines())) == ((0, 0) if field == "bare" else (2, 1))


@pytest.mark.parametrize("text", ["", "[]", "7", "null", "{", "[" * 100_000, '{"seeds": ' + "9" * 5000 + "}"])
def test_whatever_is_no_description_is_one_line(cli: Cli, text: str) -> None:
    write(text)
    result = cli("sample", "--like", "x.png")
    assert (result.code, len(result.err.splitlines())) == (2, 1)


# --- the model


def no_network(*_: object, **__: object) -> None:
    raise AssertionError("an image must not start a download")


@pytest.mark.parametrize("name", ["horse2zebra", "cyclegan/map2sat", "map2sat"])
def test_an_image_fetches_no_model(cli: Cli, drawn: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(published, "fetch_checkpoint", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert name == "map2sat" or published.find(name)
    write(drawn | {"model": name})
    result = cli("sample", "--like", "x.png")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert f"there is no model '{name}' on this machine" in result.err


@pytest.mark.parametrize(
    "model",
    [
        "/etc/passwd",
        "/dev/zero",
        "/dev/zero.safetensors",
        "pipe.safetensors",
        "/",
        "..",
        "../x",
        "~no-one/x",
        "a\0b",
        "x" * 4000,
    ],
)
def test_a_model_that_is_none_is_one_line(cli: Cli, drawn: dict[str, Any], model: str) -> None:
    os.mkfifo("pipe.safetensors")
    write(drawn | {"model": model})
    result = cli("sample", "--like", "x.png")
    assert (result.code, len(result.err.splitlines())) == (2, 1)


def test_the_user_may_name_the_model(cli: Cli, drawn: dict[str, Any], run_of_gan: Path) -> None:
    write(drawn | {"model": "horse2zebra"})
    assert cli("sample", "--like", "x.png", run_of_gan, "--out", "y.png").code == 0
    write(drawn | {"sha256": "0" * 16})
    assert "give its MODEL" in cli("sample", "--like", "x.png", run_of_gan).err


@example("~0")  # the home folder of nobody
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_any_value_for_any_field_is_a_request_or_a_user_error(
    run_of_gan: Path, tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.png"
    found = find_model(str(run_of_gan))
    good = {"model": str(found.path), "sha256": found.fingerprint, "seeds": [1], "truncation": None, "columns": None}
    for field in WRONG:
        write(good | {"bare": False, "class": None} | {field: value}, str(path))
        try:
            request = repeat(path, None)
        except UserError:
            continue
        assert all(type(seed) is int and 0 <= seed < 10**12 for seed in request.seeds)


# --- the file


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">2I5B", 4, 4, 8, 0, 0, 0, 0)
    body = (b"IDAT", zlib.compress(bytes(20)))
    parts = [(b"IHDR", head), *chunks, body, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, held) for name, held in parts)


@pytest.mark.parametrize(
    "text",
    [
        (b"zTXt", b"gancli\0\0" + zlib.compress(b"[" * 2**27)),
        (b"iTXt", b"gancli\0\1\0\0\0" + zlib.compress(b" " * 2**27)),
        (b"iTXt", b"gancli\0\1\0\0\0" + b"no zlib"),
        (b"tEXt", b"gancli\0{}"),
    ],
)
def test_text_is_bounded(cli: Cli, text: tuple[bytes, bytes]) -> None:
    Path("x.png").write_bytes(png(text))
    result = cli("sample", "--like", "x.png")
    assert (result.code, len(result.err.splitlines())) == (2, 1)


def test_a_file_that_is_none_is_one_line(cli: Cli) -> None:
    os.mkfifo("pipe.png")
    for name, says in {
        "pipe.png": "a pipe",
        "/dev/zero": "a device",
        ".": "a folder",
        "no.png": "No such file",
    }.items():
        result = cli("sample", "--like", name)
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert says in result.err
