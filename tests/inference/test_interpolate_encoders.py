"""Walks between pictures, and the plane of a 2-D latent."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from gancli.capabilities import Encodes
from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from gancli.images.writing import read_about
from gancli.inference.sampling.draw import draw, plane
from gancli.inference.user_images import images_at
from tests.conftest import Cli, Trained
from tests.variants.small import make


@pytest.fixture
def run(trained: Trained, tmp_path: Path) -> Path:
    return trained(tmp_path / "run", "aae", "--width", 8, "--batch", 4, "--steps", 2)


@pytest.mark.parametrize("given", [("--images", "{0}", "{1}"), ("--images", "{0}", "--images", "{1}")])
def test_a_walk_between_pictures_begins_and_ends_at_their_reconstructions(
    cli: Cli, run: Path, pictures: Path, tmp_path: Path, given: tuple[str, ...]
) -> None:
    photos = sorted(pictures.glob("*.png"))[:2]
    named = [word.format(*photos) for word in given]
    result = cli("interpolate", run, *named, "--frames", 3, "--out", tmp_path / "frames")
    assert result.code == 0, result.err
    frames = sorted((tmp_path / "frames").glob("*.png"))
    gan = load_model(find_model(str(run)))
    assert isinstance(gan, Encodes)
    codes = gan.encode(torch.stack([image for photo in photos for _, image in images_at(photo, gan.spec, "--images")]))
    drawn = draw(gan, codes)
    for frame, expected in ((frames[0], drawn[0]), (frames[-1], drawn[1])):
        with Image.open(frame) as picture:
            assert torch.equal(torch.tensor(list(picture.tobytes())), torch.tensor(list(expected.tobytes())))
    assert read_about(frames[0])["walk"]["photos"] == [photo.name for photo in photos]


def test_pictures_of_any_size_and_mode_are_taken(cli: Cli, run: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 21), 90).save(tmp_path / "grey.png")
    Image.new("RGBA", (7, 30), (9, 9, 200, 80)).save(tmp_path / "clear.png")
    walk = ("--frames", 2, "--strip", "--out", tmp_path / "walk.png")
    assert cli("interpolate", run, "--images", tmp_path / "grey.png", tmp_path / "clear.png", *walk).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--images", "none.png", "more.png"), "--images none.png: no such file"),
        (("--images", "{run}/run.json", "more.png"), "run.json cannot be read"),
        (("--images", "{photo}"), "at least two stops"),
        (("--images", "{photo}", "{photo}", "--seeds", "1,2"), "give one"),
        (("{photo}",), "takes one MODEL"),
    ],
)
def test_what_is_wrong_with_pictures_is_said(
    cli: Cli, run: Path, pictures: Path, arguments: tuple[str, ...], said: str
) -> None:
    photo = next(iter(sorted(pictures.glob("*.png"))))
    result = cli("interpolate", run, *(word.format(run=run, photo=photo) for word in arguments))
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1


def test_what_an_encoder_finds_is_saved_and_its_error_is_said(cli: Cli, run: Path, pictures: Path) -> None:
    photos = sorted(pictures.glob("*.png"))[:2]
    result = cli("interpolate", run, "--images", *photos, "--frames", 2, "--strip", "--out", "walk.png")
    assert [line.split(" (")[0].split()[:2] for line in result.err.splitlines()] == [
        ["000.png:", "error"],
        ["001.png:", "error"],
    ]
    with Image.open("walk.png") as encoded:
        before = encoded.tobytes()
    assert cli("interpolate", run, "walk-000.latent", "walk-001.latent", "--frames", 2, "--strip").code == 0
    with Image.open("walk.png") as read:
        assert read.tobytes() == before


def test_the_grid_of_a_2d_latent_is_its_plane(cli: Cli, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "plane.png"
    assert cli("interpolate", run, "--grid", "--frames", 25, "--out", out).code == 0
    with Image.open(out) as picture:
        assert picture.size == (5 * 34 + 2, 5 * 34 + 2)


def test_the_plane_lies_at_the_priors_quantiles() -> None:
    z = plane(make("dcgan", z_dim=2), 4)
    normal = torch.distributions.Normal(0.0, 1.0).icdf((torch.arange(4) + 0.5) / 4)
    rows = z.view(4, 4, 2)
    torch.testing.assert_close(rows[0, :, 0], normal, atol=0.02, rtol=0)  # to the right
    torch.testing.assert_close(rows[:, 0, 1], normal.flip(0), atol=0.02, rtol=0)  # upwards
    assert torch.equal(z, plane(make("dcgan", z_dim=2), 4))


def test_seeds_still_make_corners_of_a_2d_latent(cli: Cli, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "corners.png"
    assert cli("interpolate", run, "--grid", "--seeds", "1,2,3,4", "--frames", 9, "--out", out).code == 0
    assert read_about(out)["walk"]["seeds"] == [1, 2, 3, 4]
    assert cli("interpolate", run, "--grid", "--seeds", "1,2", "--out", out).code == 2
