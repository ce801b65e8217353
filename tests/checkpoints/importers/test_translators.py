"""Translators and enlargers of other people: what is imported draws what the authors' code drew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gancli.checkpoints import checkpoint
from gancli.checkpoints.find import Model
from gancli.checkpoints.importers.convert import convert
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.load import load_model
from gancli.data.spec import DataSpec
from gancli.images.pixels import to_floats
from gancli.imported.translators.ugatit import UGATIT, AttentiveHParams
from gancli.inference.translation import label_maps
from tests.conftest import Cli
from tests.parity import Fixture, fixture

Draw = Callable[[Any, Fixture, str], Tensor]


def image(given: Fixture, name: str) -> Tensor:
    return to_floats(torch.from_numpy(given.arrays[name]).permute(2, 0, 1)[None])


def translated(gan: Any, given: Fixture, number: str) -> Tensor:
    return gan.translate(image(given, f"in_img{number}"), "AB")


def raw(gan: Any, given: Fixture, number: str) -> Tensor:
    """An enlarger's own output, which is not clipped."""
    return gan.G((image(given, f"in_img{number}") + 1) / 2)


def changed(gan: Any, given: Fixture, number: str) -> Tensor:
    return gan.change(image(given, f"in_img{number}"), torch.from_numpy(given.arrays[f"in_c{number}"]))


def drawn(gan: Any, given: Fixture, number: str) -> Tensor:
    label = torch.from_numpy(given.arrays[f"in_label{number}"]).long()
    planes = label_maps.to_planes(label, gan.labels, edges=False)
    return gan.draw(torch.cat([planes, torch.from_numpy(given.arrays[f"in_edge{number}"])[None, None].float()], 1))


SPADE = Asked("x", size=(64, 64))
FIXTURES: dict[str, tuple[str, Draw, Asked]] = {
    "basicsr-x2.pth": ("esrgan", raw, Asked("x")),
    "basicsr-x4.pth": ("esrgan", raw, Asked("x")),
    "esrgan.pth": ("esrgan", raw, Asked("x")),
    "esrgan-old.pth": ("esrgan", raw, Asked("x")),
    "srvgg-x4.pth": ("realesrgan-compact", raw, Asked("x")),
    "srgan-leftthomas_netG_epoch_4_100.pth": ("srgan", raw, Asked("x")),
    "animegan2.pt": ("animegan", translated, Asked("x")),
    "cartoongan_net_G_float.pth": ("cartoongan", translated, Asked("x")),
    "ugatit-light_params_0100000.pt": ("ugatit", translated, Asked("x")),
    "vintagify-layout.pth": ("resnet-translator", translated, Asked("photo2vintage")),
    "stargan-G.ckpt": ("stargan", changed, Asked("x")),
    "pix2pixHD-global.latest_net_G.pth": ("pix2pixhd", drawn, Asked("x")),
    "pix2pixHD-local.latest_net_G.pth": ("pix2pixhd", drawn, Asked("x")),
    "spade.latest_net_G.pth": ("spade", drawn, SPADE),
}


@pytest.mark.parametrize("file", FIXTURES)
def test_what_is_imported_draws_what_the_authors_drew(file: str, tmp_path: Path) -> None:
    variant, draw, asked = FIXTURES[file]
    given = fixture(file)
    out = convert(given.file, tmp_path / "out.safetensors", asked)
    about = checkpoint.describe(out)
    assert about.variant == variant
    gan = load_model(Model(out, about, ""))
    for number in "12":
        with torch.no_grad():
            found = draw(gan, given, number).numpy()
        assert given.off(f"out_img{number}", found) <= given.limit(f"out_img{number}")


def test_spade_asks_for_what_its_file_does_not_hold(cli: Cli) -> None:
    file = str(fixture("spade.latest_net_G.pth").file)
    done = cli("import", file, "--as", "gaugan")
    assert (done.code, "--size" in done.err) == (2, True), done.err
    assert not Path("runs/gaugan").exists()
    assert cli("import", file, "--as", "gaugan", "--size", "64").code == 0


def test_an_enlarger_enlarges_colours_and_alpha(cli: Cli) -> None:
    given = fixture("basicsr-x4.pth")
    assert cli("import", str(given.file), "--as", "x4").code == 0
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 24, 4), np.uint8)).save("in.png")
    assert cli("translate", "x4", "in.png").code == 0
    with Image.open("in.x4.png") as whole:
        assert (whole.size, whole.mode) == ((96, 80), "RGBA")
        assert len(np.unique(np.asarray(whole)[..., 3])) > 10
    assert cli("translate", "x4", "in.png", "--compare", "--overwrite").code == 0
    with Image.open("in.x4.png") as both:
        assert both.size == (192, 80)


def test_a_model_of_one_size_says_which(cli: Cli) -> None:
    made = UGATIT(AttentiveHParams(width=4, blocks=1, light=False), DataSpec(3, 32, 32)).state_dict()
    torch.save({"genA2B": {name.removeprefix("G."): tensor for name, tensor in made.items()}}, "full.pt")
    assert cli("import", "full.pt", "--as", "full").code == 0
    Image.new("RGB", (40, 48), "teal").save("in.png")
    done = cli("translate", "full", "in.png")
    assert (done.code, "give --size 32x32" in done.err) == (2, True), done.err
    assert cli("translate", "full", "in.png", "--size", "32x32").code == 0


def test_an_enlarger_is_given_no_smaller_size(cli: Cli) -> None:
    """It was trained on crops, and for images of any size."""
    assert cli("import", str(fixture("srgan-leftthomas_netG_epoch_4_100.pth").file), "--as", "x4").code == 0
    Image.new("RGB", (200, 200), "teal").save("in.png")
    done = cli("translate", "x4", "in.png")
    assert (done.code, done.err) == (0, "")


def test_maps_of_labels_are_checked(cli: Cli) -> None:
    given = fixture("pix2pixHD-global.latest_net_G.pth")
    assert cli("import", str(given.file), "--as", "streets").code == 0
    label = given.arrays["in_label1"]
    Image.fromarray(label).save("labels.png")
    assert cli("translate", "streets", "labels.png").code == 0
    with Image.open("labels.streets.png") as drawn:
        assert drawn.size == label.shape[::-1]
    Image.fromarray(label + 8).save("unknown.png")
    done = cli("translate", "streets", "unknown.png")
    assert (done.code, "knows 0 to 7" in done.err) == (2, True), done.err
    Image.new("RGB", (32, 32), "red").save("red.png")
    assert "grey image" in cli("translate", "streets", "red.png").err
    assert "--size" in cli("translate", "streets", "labels.png", "--overwrite", "--size", "64").err


def test_edges_lie_between_labels() -> None:
    label = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    assert label_maps.between(label).tolist() == [[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]


def test_attributes_are_as_many_as_the_model_has(cli: Cli) -> None:
    assert cli("import", str(fixture("stargan-G.ckpt").file), "--as", "star").code == 0
    Image.new("RGB", (32, 32), "teal").save("face.png")
    assert cli("translate", "star", "face.png", "--attributes", "1,0,0,1,0").code == 0
    done = cli("translate", "star", "face.png", "--overwrite")
    assert (done.code, "0,1,0,1,0" in done.err) == (2, True), done.err
    assert cli("translate", "star", "face.png", "--overwrite", "--attributes", "1,0").code == 2
