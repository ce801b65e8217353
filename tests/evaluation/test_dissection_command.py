"""`gancli eval --dissect` on a trained model, with masks: what it reports, and what it refuses in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gancli.evaluation.dissection import dissect as dissection
from gancli.evaluation.dissection.layers import generated
from gancli.evaluation.dissection.survey import latents_of, to_shown
from gancli.inference.sampling.draw import draw, latent_of
from tests.conftest import Cli, Trained
from tests.evaluation.test_dissection import save_masks


@pytest.fixture
def model(trained: Trained) -> Path:
    return trained("run", "dcgan", "--size", 16, "--steps", 1, "--batch", 4, "--width", 4, "--z-dim", 4, "--seed", 1)


def bright(model: Path, cli: Cli, count: int) -> Tensor:
    """Segment the files of `gancli sample`: the bright half of each image is 1."""
    assert cli("sample", model, "--seeds", f"0-{count - 1}", "--out", "images").code == 0
    images = [np.asarray(Image.open(f"images/seed{seed:05d}.png")).mean(2) for seed in range(count)]
    return torch.stack([torch.from_numpy(image > np.median(image)) for image in images])


def test_a_model_and_masks_from_the_command_line(model: Path, cli: Cli, tmp_path: Path) -> None:
    save_masks(tmp_path / "masks", bright(model, cli, 8), "\nbright")
    words = ("eval", model, "--dissect", "units.png", "--masks", "masks", "--device", "cpu")
    done = cli(*words, "--json", "--out", "report.json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report == json.loads(Path("report.json").read_text())
    assert report["protocol"]["generated"]["seeds"] == [0, 7]
    for layer in report["dissection"].values():
        assert [row["concept"] for row in layer["concepts"]] == ["bright"]
        assert 0 < layer["concepts"][0]["iou"] < 1
        assert layer["effects"][0]["ablation"]["after_inside"] > 0
    with Image.open("units.png") as sheet:
        sheet.load()
        assert "gancli" in sheet.info
    text = cli(*words, "-n", 6)
    assert "units detect a concept" in text.out
    assert "known for 6 of 6 images" in text.out


def test_the_images_are_those_of_sample(model: Path) -> None:
    """So that masks of its files fit."""
    gan = dissection.load_model(dissection.find_model(str(model), best=False))
    z = torch.cat([latent_of(gan, seed, None) for seed in (3, 11)])
    assert torch.equal(latents_of(gan, (3, 11)), z)
    shown = to_shown(generated(gan, z)).permute(0, 2, 3, 1).numpy().astype(int)
    assert abs(shown - draw(gan, z)).max() <= 1


def break_size(folder: Path) -> None:
    Image.new("L", (7, 7)).save(folder / "seed00003.png")


def break_colour(folder: Path) -> None:
    Image.new("RGB", (16, 16), "red").save(folder / "seed00003.png")


def break_file(folder: Path) -> None:
    (folder / "seed00003.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")


def break_folder(folder: Path) -> None:
    for path in folder.glob("seed*"):
        path.rename(folder / f"image{path.name}")


def break_names(folder: Path) -> None:
    (folder / "names.txt").write_text("x\n" * 300)


def break_encoding(folder: Path) -> None:
    (folder / "names.txt").write_bytes(b"\xff\xfe\x00")


def break_link(folder: Path) -> None:
    (folder / "seed00003.png").unlink()
    (folder / "seed00003.png").mkdir()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (break_size, "it has 7x7 pixels, but the images 16x16"),
        (break_colour, "it is not a grey or palette image of 8 bits"),
        (break_file, "seed00003.png cannot be read"),
        (break_folder, "has no masks: name them after seeds"),
        (break_names, "it has 300 lines; values are 0 to 255"),
        (break_encoding, "names.txt cannot be read"),
        (break_link, "seed00003.png is a folder, but a file is expected here"),
    ],
)
def test_bad_masks_are_one_line(harm: Any, said: str, model: Path, cli: Cli, tmp_path: Path) -> None:
    harm(save_masks(tmp_path / "masks", torch.zeros(6, 16, 16), "\nbright"))
    done = cli("eval", model, "--dissect", "units.png", "--masks", "masks")
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("units.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "digits"), "--dissect needs concepts: give --data shapes or shapes-easy"),
        ((), "or masks with --masks DIR"),
        (("--masks", "nowhere"), "--masks nowhere: no such folder"),
        (("--data", "shapes-easy", "--layers", "G.nett"), "has no feature maps 'G.nett'; give auto, or of G.net.0, "),
        (("--data", "shapes-easy", "--metrics", "fid"), "--dissect scores nothing, so --metrics has no effect"),
        (("--data", "shapes-easy", "-n", "5"), "the concepts of only 0 of 5 images are known"),
    ],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], said: str, model: Path, cli: Cli) -> None:
    done = cli("eval", model, "--dissect", "units.png", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("units.png").exists()
    assert cli("eval", model, model, "--dissect", "units.png").err.endswith("give one MODEL\n")
    assert "--masks needs --dissect" in cli("eval", model, "--masks", "x").err


@pytest.mark.parametrize(
    ("variant", "options", "said"),
    [
        ("gan", (), "has no feature maps that cover the image"),
        ("pix2pix", ("--pairs", "gray"), "does not generate images from latents"),
    ],
)
def test_models_that_cannot_be_dissected(
    variant: str, options: tuple[str, ...], said: str, cli: Cli, trained: Trained
) -> None:
    trained("run", variant, *options, "--size", 16, "--steps", 1, "--batch", 4, "--preset", "quick")
    done = cli("eval", "run", "--dissect", "units.png", "--data", "shapes-easy", "-n", 4)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
