"""Published generators: what is imported draws what the original drew."""

import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gancli.checkpoints import checkpoint
from gancli.checkpoints.find import Model
from gancli.checkpoints.importers.convert import convert, import_file
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.importers.reading import state_dict
from gancli.checkpoints.load import load_model
from gancli.images.pixels import to_pixels
from gancli.images.roundtrip import to_tensor
from tests.checkpoints.renditions import ResNet, UNet, old, rendition
from tests.conftest import Cli

LAYOUTS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet-6": (lambda: ResNet(8, 6), 64),
    "resnet-9": (lambda: ResNet(8, 9), 64),
    "resnet-9-dropout": (lambda: ResNet(8, 9, dropout=True), 64),
    "resnet-9-grey": (lambda: ResNet(8, 9, c=1), 64),
    "unet-128": (lambda: UNet(4, 7), 128),
    "unet-256": (lambda: UNet(4, 8), 256),
    "unet-256-dropout": (lambda: UNet(4, 8, dropout=True), 256),
    "cut": (lambda: ResNet(8, 9, cut=True), 64),
}


@pytest.mark.parametrize("age", ["new", "old", "zipless"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_imported_draws_what_the_original_draws(layout: str, age: str, tmp_path: Path) -> None:
    make, side = LAYOUTS[layout]
    net = rendition(make)
    state = net.state_dict() if age == "new" else old(net.state_dict())
    file = tmp_path / "horse2zebra.pth"
    torch.save(state, file, _use_new_zipfile_serialization=age != "zipless")
    out = convert(file, tmp_path / "out.safetensors", Asked("horse2zebra"))
    about = checkpoint.describe(out)
    gan: Any = load_model(Model(out, about, ""))
    assert about.spec.domains == ("horse", "zebra")
    x = torch.rand(1, about.spec.channels, side, side) * 2 - 1
    with torch.no_grad():
        drawn, expected = gan.translate(x, "AB"), net(x)
    assert expected.std() > 0.05
    assert (drawn - expected).abs().max() < 1e-5


def test_import_and_translate(cli: Cli, tmp_path: Path) -> None:
    net = rendition(lambda: ResNet(4, 6))
    (tmp_path / "maps").mkdir()
    torch.save(net.state_dict(), tmp_path / "maps" / "latest_net_G.pth")
    done = cli("import", "maps/latest_net_G.pth")
    assert done.code == 0, done.err
    Path("maps").rename("elsewhere")  # a folder here would come before the run of that name
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).save("in.png")
    assert cli("translate", "maps", "in.png").code == 0
    with Image.open("in.png") as given, torch.no_grad():
        expected = to_pixels(net(to_tensor(given, 3)))[0]
    with Image.open("in.maps.png") as drawn:
        assert np.abs(np.asarray(drawn).astype(int) - expected).max() <= 1
    assert cli("import", "elsewhere/latest_net_G.pth", "--as", "maps").code == 2  # the name is taken
    assert cli("import", "elsewhere/latest_net_G.pth", "--as", "../x").code == 2
    assert cli("info", "maps").code == 0


def left_by_a_killed_import(stage: str) -> bytes:
    """Import net.pth as x, and leave what a kill at some stage leaves; returns the bytes of the whole checkpoint."""
    converted = import_file(Path("net.pth"), Asked("x"))
    whole = converted.read_bytes()
    converted.parents[1].joinpath("run.json").unlink()
    begun = converted.parent / ".gancli-tmp-4194305-0123abcd"
    if stage != "the checkpoint is there":
        begun.mkdir()
        converted.rename(begun / converted.name)
        os.truncate(begun / converted.name, len(whole) // 2)
    if stage == "nothing is there":
        shutil.rmtree(begun)
    return whole


@pytest.mark.parametrize("stage", ["the checkpoint is there", "half of it is there", "nothing is there"])
def test_an_import_that_was_killed_can_be_repeated(cli: Cli, stage: str) -> None:
    torch.save(ResNet(1, 1).state_dict(), "net.pth")
    whole = left_by_a_killed_import(stage)
    done = cli("import", "net.pth", "--as", "x")
    assert done.code == 0, done.err
    assert Path("runs/x/checkpoints/000000000.safetensors").read_bytes() == whole
    assert sorted(str(path) for path in Path("runs/x").rglob("*") if path.is_file()) == [
        "runs/x/checkpoints/000000000.safetensors",
        "runs/x/run.json",
    ]
    assert cli("import", "net.pth", "--as", "x").code == 2


def _of_another_file() -> None:
    torch.save(ResNet(1, 2).state_dict(), "net.pth")


OTHERS: dict[str, Callable[[], object]] = {
    "a file of the user's": lambda: Path("runs/x/mine.txt").write_text("x"),
    "a checkpoint of another": lambda: Path("runs/x/checkpoints/000000008.safetensors").write_text("x"),
    "a conversion of another file": _of_another_file,
    "a link": lambda: (Path("runs/x").rename("elsewhere"), Path("runs/x").symlink_to(Path("elsewhere").absolute())),
}


@pytest.mark.parametrize("what", OTHERS)
def test_nothing_else_is_taken_for_what_a_killed_import_left(cli: Cli, what: str) -> None:
    torch.save(ResNet(1, 1).state_dict(), "net.pth")
    left_by_a_killed_import("the checkpoint is there")
    OTHERS[what]()
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    done = cli("import", "net.pth", "--as", "x")
    assert (done.code, "already exists" in done.err) == (2, True), done.err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_runs_none(cli: Cli, zipped: bool) -> None:
    state = {"model.1.weight": torch.zeros(4, 3, 7, 7), "x": Malicious()}
    torch.save(state, "bad.pth", _use_new_zipfile_serialization=zipped)
    done = cli("import", "bad.pth", "--as", "bad")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "refused" in done.err
    assert not Path("ran").exists()
    assert not Path("runs").exists()
    torch.load("bad.pth", weights_only=False)  # the control: it would have
    assert Path("ran").exists()


@pytest.mark.parametrize("cut", [0, 1, 100, 5000, -1])
def test_damaged_files_are_one_line(cli: Cli, cut: int) -> None:
    torch.save(rendition(lambda: ResNet(4, 6)).state_dict(), "net.pth")
    Path("net.pth").write_bytes(Path("net.pth").read_bytes()[:cut])
    done = cli("import", "net.pth", "--as", "x")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err


@pytest.mark.parametrize(
    "held",
    [
        {},
        [],
        {"a": 1},
        {"weights": torch.zeros(3)},
        {"model.1.weight": torch.zeros(3)},
        {"model.1.weight": torch.zeros(4, 3, 7, 7)},
        {"model.model.0.weight": torch.zeros(4, 3, 4, 4)},
        {"model.model.0.weight": torch.zeros(4, 3, 4, 4), "model.model.1.model.1.weight": torch.zeros(8, 4, 4, 4)},
    ],
)
def test_other_files_are_one_line(cli: Cli, held: Any) -> None:
    torch.save(held, "net.pth")
    done = cli("import", "net.pth", "--as", "x")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err


def test_text_and_pickles_and_bombs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("text.pth").write_text("not a network")
    Path("plain.pth").write_bytes(pickle.dumps({"a": 1}))
    with zipfile.ZipFile("bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", b"\0" * 10_000)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)  # of an archive that says it lies on two disks
    Path("disks.pth").write_bytes(b"x" * 100 + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 2) + end)
    monkeypatch.setattr(state_dict, "LARGEST", 5_000)
    for name in ("text.pth", "plain.pth", "bomb.pth", "disks.pth", "missing.pth"):
        done = cli("import", name, "--as", "x")
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
