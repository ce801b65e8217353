"""`gancli eval` of translators: each direction against its own domain, and against the truth where that is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from gancli.evaluation.extractors import local
from tests.conftest import Cli, noise_images
from tests.inference.test_translate import saved

INVERT = '''"""Invert: Nobody 2024, "Negatives", arXiv:0000.00000."""
from torch import Tensor, nn
from gancli.data.kinds.unpaired import Unpaired
from gancli.gan import GAN
from gancli.hparams import AdamHParams


class Invert(GAN[AdamHParams]):
    """Knows what becomes of every picture."""

    hparams = AdamHParams
    data = Unpaired
    directions, multiple = ("AB", "BA"), 1

    def __init__(self, hp, spec) -> None:
        super().__init__(hp, spec)
        self.G = nn.Linear(1, 1)

    def players(self):
        return {"G": self.adam(self.G)}

    def translate(self, image: Tensor, direction: str) -> Tensor:
        return -image

    def fakes(self, batch: Unpaired) -> Tensor:
        return -batch.a
'''


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "STEPS", 6)


@pytest.fixture
def negatives(tmp_path: Path) -> Path:
    """Pictures in A, darker than most, and their negatives in B."""
    folder = tmp_path / "pairs"
    noise_images(folder / "A", 20, (16, 16))
    (folder / "B").mkdir()
    for i, path in enumerate(sorted((folder / "A").iterdir())):
        dark = Image.open(path).point([value // 3 for value in range(256)] * 3)
        dark.save(path)
        if i < 18:
            ImageOps.invert(dark).save(folder / "B" / path.name)
    return folder


@pytest.fixture
def model(cli: Cli, tmp_path: Path, negatives: Path) -> Path:
    (tmp_path / "invert.py").write_text(INVERT)
    done = cli("train", "./invert.py", "--data", negatives, "--steps", 0, "--out", "run")
    assert done.code == 0, done.err
    return tmp_path / "run"


def report(cli: Cli, *arguments: object) -> dict:
    done = cli("eval", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize("n", [None, 7])
def test_the_truth_is_met_row_by_row(cli: Cli, model: Path, negatives: Path, n: int | None) -> None:
    names = "psnr,ssim,feature-distance"
    few = () if n is None else ("-n", n)
    found = report(cli, model, "--data", negatives, "--metrics", names, "--extractor", "local", *few)
    assert [entry["model"] for entry in found["models"]] == [f"{model} AB", f"{model} BA"]
    for entry in found["models"]:
        assert entry["metrics"]["psnr"] == 100
        assert entry["metrics"]["ssim"] == pytest.approx(1)
        assert entry["metrics"]["feature_distance"] == pytest.approx(0, abs=1e-3)
        assert entry["protocol"]["generated"]["images"] == (n or 18)  # two have no partner
    last = sorted((negatives / "B").iterdir())[-1]
    Image.fromarray(255 - np.asarray(Image.open(last))).save(last)  # one truth is another
    found = report(cli, model, "--data", negatives, "--metrics", "psnr")
    assert all(90 < entry["metrics"]["psnr"] < 96 for entry in found["models"])  # 17 of 18 are right


def test_each_direction_has_its_own_domain(cli: Cli, model: Path, negatives: Path) -> None:
    found = report(cli, model, "--data", negatives, "--metrics", "fid", "--extractor", "local")
    ab, ba = found["models"]
    assert ab["protocol"]["real"]["data"] == "pairs B"
    assert ba["protocol"]["real"]["data"] == "pairs A"
    assert (ab["protocol"]["generated"]["images"], ba["protocol"]["generated"]["images"]) == (20, 18)
    swapped = report(cli, negatives / "A", "--data", negatives / "B", "--metrics", "fid", "--extractor", "local")
    assert ab["metrics"]["frechet"] < 0.1 * swapped["metrics"]["frechet"]
    table = cli("eval", model, "--data", negatives, "--metrics", "psnr,ssim")
    assert table.code == 0
    assert [line.split()[1] for line in table.out.splitlines()[1:3]] == ["AB", "BA"]


def test_sources_that_are_made_are_made_again(cli: Cli, tmp_path: Path) -> None:
    pictures = noise_images(tmp_path / "pictures", 12, (16, 16))
    arguments = ("--pairs", "gray", "--size", 16, "--steps", 1, "--batch", 2, "--width", 4, "--out", "run")
    assert cli("train", "pix2pix", "--data", pictures, *arguments).code == 0
    found = report(cli, "run", "--data", pictures, "--metrics", "psnr,ssim")
    assert found["protocol"]["generated"]["images"] == 12
    assert 0 < found["metrics"]["psnr"] < 30


def test_shapes_are_read_each_way(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gancli.evaluation.known_truth.domains.TRANSLATED", 10)
    monkeypatch.setattr("gancli.data.sources.builtin.DOMAIN_IMAGES", 20)
    assert (
        cli("train", "cyclegan", "--steps", 1, "--width", 4, "--batch", 2, "--metrics", "none", "--out", "r").code == 0
    )
    found = report(cli, "r", "--data", "shapes-domains", "--metrics", "shapes,psnr")
    for entry in found["models"]:
        assert {"domain_right", "iou", "shape_right", "colour_right", "psnr"} <= entry["metrics"].keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--metrics", "psnr", "--data", "plain"), "two sub-folders"),
        (("run", "--metrics", "fid", "--stats", "x.npz"), "give both with --data"),
        (("plain", "--metrics", "ssim", "--data", "pairs"), "needs a translator"),
        (("noise.safetensors", "--metrics", "ssim", "--data", "plain"), "needs a translator"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, model: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    noise_images(tmp_path / "plain", 4, (16, 16))
    saved(tmp_path, "dcgan").rename("noise.safetensors")
    done = cli("eval", *arguments, "--extractor", "local")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert said in done.err


def test_training_refuses_them(cli: Cli) -> None:
    done = cli("train", "cyclegan", "--metrics", "psnr", "--steps", 1)
    assert (done.code, "use gancli eval" in done.err) == (2, True)
