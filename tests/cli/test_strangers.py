"""Files from strangers: each gets one line, exit code 2, and nothing is written; none runs anything."""

import gzip
import lzma
import pickle
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gancli.data.sources import archives, arrays
from gancli.images import reading
from tests import children
from tests.cli.strangers import (
    PLUGIN,
    among_others,
    checkpoint,
    data,
    deep,
    flipped,
    idx,
    link,
    lost,
    many_frames,
    model,
    npz,
    npz_bomb,
    picture,
    png,
    pth,
    said,
    saved,
    tar,
    zip_bomb,
)
from tests.conftest import Cli, Once, noise_images
from tests.dev.whole_files import Code, images


@pytest.fixture(scope="session")
def whole(once: Once) -> Path:
    """A folder with pictures, a model that draws, and one that translates."""
    from gancli.cli.main import run

    def fill(folder: Path) -> None:
        noise_images(folder / "data" / "A", 3, (16, 16))
        noise_images(folder / "data" / "B", 3, (16, 16))
        for variant, more in {"gan": ("--z-dim", 4), "cyclegan": ("--blocks", 1)}.items():
            small = ("--steps", 1, "--batch", 4, "--width", 4, "--quiet", "--metrics", "none", *more)
            words = ("train", variant, "--data", folder / "data", "--out", folder / variant, *small)
            assert run([str(word) for word in words]) == 0

    return once("what-strangers-spoil", fill)


BIG = {"width": 10_000}
SENT: dict[str, tuple[Callable[[Path], tuple[Any, ...]], str]] = {
    "a bomb": (picture(png(30_000, 30_000)), "900000000 pixels"),
    "a bomb of a right size": (among_others(png(9000, 9000, bytes(9000))), "81,000,000 pixels; at most"),
    "a truncated png": (picture(png(8, 8, bytes(20))), "not translated: x.png (image file is truncated"),
    "an empty file": (picture(b""), "not translated: x.png (the file is empty"),
    "text that is called a png": (picture(b"hello"), "cannot identify image file"),
    "a program that is called a png": (
        picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "cannot identify",
    ),
    "a broken one among others": (among_others(b"x"), "1 of 6 images cannot be read: x.png"),
    "a picture that says nothing": (
        lambda w: ("sample", "--like", w / "data/A/000.png"),
        "not a PNG that gancli sample",
    ),
    "a zip of nothing": (data("x.zip", b""), "is not a readable archive"),
    "a zip that is a bomb": (data("x.zip", zip_bomb()), "none of 1 images can be read"),
    "a tar of links": (data("x.tar", tar(link(tarfile.SYMTYPE), link(tarfile.LNKTYPE))), "no images in x.tar"),
    "a tar.gz cut short": (data("x.tar.gz", gzip.compress(tar(link(b"0")))[:40]), "is not a readable archive"),
    "a tar.xz that is a bomb": (
        data("x.tar.xz", lzma.compress(tar((tarfile.TarInfo("x"), bytes(2**20))))),
        "unpacks to more than 64,000 bytes",
    ),
    "an npz that is a bomb": (data("x.npz", npz_bomb()), "too many for a file of"),
    "an npz with a pickle": (data("x.npz", npz(images=np.array([Code()], object))), "should be an npz of plain arrays"),
    "an npz of one axis": (data("x.npz", npz(images=np.zeros(9, np.uint8))), "has no uint8 array of images"),
    "labels without end": (
        data("x.npz", npz(images=np.zeros((2, 8, 8), np.uint8), labels=np.array([0, 2**60]))),
        "has labels up to 1,152,921,504,606,846,976",
    ),
    "an idx that lies": (data("x-images-idx3-ubyte", idx(2**31, 28, 28)), "bytes of arrays"),
    "an idx cut short": (data("x-images-idx3-ubyte", idx(10, 8, 8)), "is damaged: it declares 640 bytes and holds 0"),
    "an idx of one axis": (data("x-images-idx3-ubyte", idx(3) + b"abc"), "holds no images"),
    "a checkpoint cut short": (checkpoint(lambda c: c[:-9]), "is not a complete safetensors file"),
    "a checkpoint with a flipped bit": (checkpoint(flipped), "is damaged: its"),
    "a header that lies about its size": (
        checkpoint(lambda c: (2**62).to_bytes(8, "little") + c[8:]),
        "is not a complete safetensors file",
    ),
    "an empty checkpoint": (checkpoint(lambda _: b""), "is not a complete safetensors file"),
    "a description that was changed": (
        checkpoint(said(lambda a: a["hparams"].update(lr=9), hashed=False)),
        "it does not match its hash",
    ),
    "wrong types": (checkpoint(said(lambda a: a.update(clock=[]), False)), "its description is damaged"),
    "metrics in words": (
        checkpoint(said(lambda a: a["metrics"].update(fid="good")), "info", "x.safetensors"),
        "its description is damaged: Expected `float | null`, got `str` - at `$.metrics[...]`",
    ),
    "a description without end": (checkpoint(deep), "its description is damaged"),
    "a variant that does not exist": (checkpoint(said(lambda a: a.update(variant="dcgam"))), "no variant 'dcgam'"),
    "a variant that is a path": (checkpoint(said(lambda a: a.update(variant="../../evil"))), "no variant '../../evil'"),
    "a variant that is code": (checkpoint(said(lambda a: a.update(variant="./evil.py"))), "has changed since"),
    "a format of the future": (checkpoint(said(lambda a: a.update(format=99))), "has format 99"),
    "a size of no image": (checkpoint(said(lambda a: a["data"].update(width=10**9))), "is not a valid image size"),
    "hyperparameters of another": (checkpoint(said(lambda a: a["hparams"].update(tau=1))), "do not fit gan"),
    "networks without end": (checkpoint(said(lambda a: a["hparams"].update(BIG))), "the file is much smaller"),
    "networks that are not in it": (checkpoint(said(lambda a: a["hparams"].update(width=5))), "does not match its own"),
    "weights that are no numbers": (checkpoint(lost), "holds values that are not finite"),
    "a pth with code": (pth(saved({"a": Code()})), "it asks to run"),
    "a pickle with code": (pth(pickle.dumps(Code()), "x.pkl"), "is refused"),
    "a pth cut short": (pth(saved({"a": torch.zeros(9)})[:300]), "x.pth cannot be read: "),
    "a pth of something else": (pth(saved([1, 2])), "is not a state dict"),
    "a pth of no numbers": (pth(saved({"a": torch.tensor(torch.nan)})), "not finite"),
}


def state() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", SENT)
def test_one_line_exit_code_2_and_nothing_written(
    cli: Cli, whole: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(archives, "LEAST", 1000)
    monkeypatch.setattr(arrays, "HONEST", 2**20)
    Path("evil.py").write_text("open('escaped', 'w')\n")
    send, says = SENT[what]
    words = send(whole)
    before = state()
    result = cli(*words)
    assert result.code == 2
    assert says in result.err
    assert result.out == ""
    assert result.err.startswith("gancli: ")
    assert len(result.err.splitlines()) == 1
    assert state() == before


@pytest.mark.parametrize("what", [what for what, (_, _) in SENT.items() if "checkpoint" not in what])
def test_info_on_any_file_is_one_line(cli: Cli, whole: Path, what: str) -> None:
    send, _ = SENT[what]
    for word in send(whole):
        if Path(str(word)).is_file():
            result = cli("info", word)
            assert (result.code, len(result.err.splitlines())) in ((2, 1), (0, 0))


@pytest.mark.parametrize(
    "name", ["/dev/zero", "/dev/null", "/", ".", "", "\udcff.safetensors", "~nobody-here/x", "a\nb"]
)
def test_info_on_what_is_no_file(cli: Cli, name: str) -> None:
    result = cli("info", name)
    assert (result.code, len(result.err.splitlines())) == (2, 1)


def test_whatever_is_whole_is_read_whatever_it_is_called(cli: Cli, whole: Path) -> None:
    """Every format and mode, animations, a picture of one pixel, and a JPEG that is called a PNG."""
    Image.new("RGB", (1, 1)).save("one.png")
    for source in images():
        Path(source.name).write_bytes(source.content)
    Path("wrong.png").write_bytes(Path("RGB.jpg").read_bytes())
    result = cli("translate", model(whole, "cyclegan"), *sorted(Path().glob("*.*")), "--out", "out")
    assert result.code == 0, result.err
    assert len(list(Path("out").iterdir())) == len(images()) + 2


def test_frames_count_as_pixels(cli: Cli, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_PIXELS", 9000)
    Path("film.gif").write_bytes(many_frames())
    result = cli("translate", model(whole, "cyclegan"), "film.gif", "--out", "out.gif")
    assert (result.code, "10,800 pixels; at most 9,000" in result.err) == (2, True)
    assert not Path("out.gif").exists()


# --- code in a checkpoint


def test_code_runs_only_if_the_user_has_named_it(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text(PLUGIN)
    train = ("train", "./mine.py", "--data", pictures, "--batch", 4, "--width", 4, "--quiet")
    assert cli(*train, "--steps", 1, "--out", "x").code == 0
    assert cli("sample", "x", "-n", 1).code == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path("someone else").absolute()))
    Path("ran").unlink()
    result = cli("sample", "x", "-n", 1)
    assert result.code == 2
    assert "needs to run mine.py, which you have never trained" in result.err
    assert not Path("ran").exists()
    assert cli(*train, "--dry-run").code == 0
    assert cli("sample", "x", "-n", 1).code == 0


# --- a few of the mutants that tests/dev/fuzz.py makes by the ten thousand


@pytest.mark.processes
def test_a_few_mutants() -> None:
    """In a process of its own: the fuzzer replaces what takes long, and lives in folders of its own."""
    done = children.run([sys.executable, "-m", "tests.dev.fuzz", 200], cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "| all |" in done.stdout
