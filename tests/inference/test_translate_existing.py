"""What `gancli translate` takes for done is what its metadata name, not what is called alike."""

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from gancli.images import roundtrip
from tests.conftest import Cli
from tests.inference.test_translate import picture, saved


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path)


def translated(cli: Cli, *words: object) -> dict[str, object]:
    done = cli("translate", *words, "--json")
    return {**json.loads(done.out), "code": done.code, "err": done.err}


def test_another_file_of_the_same_stem_is_not_done(cli: Cli, model: Path) -> None:
    """One at a time, as in a loop over files: beside the image, and into a folder."""
    for name in ("a.png", "a.jpg"):
        picture(Path(name), (16, 16))
    for out, first, second in [
        ((), "a.cyclegan.png", "a.jpg.cyclegan.png"),
        (("--out", "o"), "o/a.png", "o/a.jpg.png"),
    ]:
        assert translated(cli, model, "a.png", *out)["files"] == [first]
        before = Path(first).read_bytes()
        assert translated(cli, model, "a.jpg", *out)["files"] == [second]
        assert translated(cli, model, "a.jpg", *out)["skipped"] == [second]
        assert translated(cli, model, "a.png", *out)["skipped"] == [first]
        assert Path(first).read_bytes() == before
        assert roundtrip.source_of(Path(second)) == "a.jpg"


def test_a_file_that_is_named_keeps_what_another_source_gave(cli: Cli, model: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(Path(name), (16, 16))
    cli("translate", model, "a.png", "--out", "x.png")
    before = Path("x.png").read_bytes()
    told = translated(cli, model, "b.png", "--out", "x.png")
    assert (told["code"], told["files"]) == (2, [])
    assert "x.png is the translation of a.png" in str(told["failed"])
    assert Path("x.png").read_bytes() == before
    assert translated(cli, model, "b.png", "--out", "x.png", "--overwrite")["files"] == ["x.png"]
    assert roundtrip.source_of(Path("x.png")) == "b.png"


def test_folders_do_so_too(cli: Cli, model: Path, tmp_path: Path) -> None:
    for folder, name in [("one", "a.png"), ("two", "a.jpg"), ("two", "b.jpg")]:
        Path(folder).mkdir(exist_ok=True)
        picture(Path(folder, name), (16, 16))
    assert translated(cli, model, "one")["files"] == ["translated/a.png"]
    assert translated(cli, model, "two")["files"] == ["translated/a.jpg.png", "translated/b.png"]
    assert translated(cli, model, "one", "two")["failed"] == {}


@pytest.mark.parametrize("content", ["{}", '{"source": 3}', '{"source": null}', "[", "\x00"])
def test_files_that_name_no_source_are_kept(cli: Cli, model: Path, content: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    picture(Path("a.png"), (16, 16))
    text = PngInfo()
    text.add_itxt("gancli", content)
    Image.new("L", (4, 4)).save("x.png", pnginfo=text)
    assert roundtrip.source_of(Path("x.png")) is None
    assert translated(cli, model, "a.png", "--out", "x.png")["skipped"] == ["x.png"]


def test_animations_name_their_source(cli: Cli, model: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    assert translated(cli, model, "a.gif", "--out", "o.gif")["files"] == ["o.gif"]
    assert roundtrip.source_of(Path("o.gif")) == "a.gif"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "standard input (it is empty"), (b"text", "standard input (cannot identify image file)")],
)
def test_standard_input_is_named(
    cli: Cli, model: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    done = cli("translate", model, "-", "--out", "x.png")
    assert done.code == 2
    assert said in done.err
    assert not Path("x.png").exists()
