"""`gancli translate`: any picture, any number of them."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.gan import GAN, Clock
from gancli.images import roundtrip
from gancli.images.pixels import to_pixels
from gancli.inference.translation.jobs import TranslationRequest
from gancli.inference.translation.translate import _drawing, choose_direction
from tests.conftest import Cli
from tests.variants.small import make
from tests.variants.test_every_variant import about

SPEC = DataSpec(3, 16, 16, domains=("horse", "zebra"))


def saved(folder: Path, variant: str = "cyclegan", spec: DataSpec = SPEC, **options: object) -> Path:
    gan = make(variant, spec, ema_kimg=0, **options)
    with torch.no_grad():
        for p in gan.parameters():
            p.mul_(4)  # fresh weights draw grey
    path = folder / f"{variant}.safetensors"
    checkpoint.save(path, about(variant, gan, Clock(0, 0, 1)), gan, {}, EMA(gan))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved(tmp_path)


def picture(path: Path, size: tuple[int, int] = (20, 30), mode: str = "RGB", **options: object) -> Path:
    rng = np.random.default_rng(sum(size))
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 4), np.uint8), "RGBA").convert(mode)
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def opened(path: str | Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


# ------------------------------------------------------------------------------------------ kinds of picture


@pytest.mark.parametrize("size", [(1, 1), (7, 5000), (33, 18), (16, 16)])
@pytest.mark.parametrize("variant", ["cyclegan", "pix2pix", "discogan"])
def test_every_size_comes_back_as_it_was(cli: Cli, tmp_path: Path, size: tuple[int, int], variant: str) -> None:
    source = picture(tmp_path / "in.png", size)
    done = cli("translate", saved(tmp_path, variant), source, "--out", "out.png")
    assert done.code == 0, done.err
    assert opened("out.png").size == size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode(cli: Cli, tmp_path: Path, model: Path, mode: str) -> None:
    source = tmp_path / "in.png"
    if mode == "I;16":
        Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20) * 160).save(source)
    else:
        picture(source, mode=mode)
    assert cli("translate", model, source, "--out", "out.png").code == 0
    drawn, given = opened("out.png"), opened(source)
    assert drawn.size == given.size
    assert ("A" in drawn.getbands()) == ("A" in given.getbands() or "transparency" in given.info)
    if "A" in given.getbands():
        assert np.array_equal(np.asarray(drawn.getchannel("A")), np.asarray(given.getchannel("A")))


def test_sixteen_bits_are_scaled(cli: Cli, tmp_path: Path, model: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20))
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "eight.png")
    Image.fromarray((pixels * 257).astype(np.uint16)).save(tmp_path / "sixteen.png")
    for name in ("eight", "sixteen"):
        assert cli("translate", model, f"{name}.png", "--out", f"{name}.out.png").code == 0
    assert np.array_equal(np.asarray(opened("eight.out.png")), np.asarray(opened("sixteen.out.png")))


def test_cmyk_and_orientation_and_exif(cli: Cli, tmp_path: Path, model: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Some Camera"
    picture(tmp_path / "turned.jpg", (20, 30), "CMYK", exif=exif)
    assert cli("translate", model, "turned.jpg", "--out", "out.jpg").code == 0
    drawn = opened("out.jpg")
    assert drawn.size == (30, 20)
    assert drawn.getexif().get(0x0112, 1) == 1
    assert drawn.getexif()[0x010F] == "Some Camera"


def test_the_network_sees_the_picture_and_its_output_is_written(cli: Cli, tmp_path: Path, model: Path) -> None:
    source = picture(tmp_path / "in.png", (16, 16))
    assert cli("translate", model, source, "--direction", "BA", "--out", "out.png").code == 0
    gan = make("cyclegan", SPEC).eval()
    with torch.no_grad():
        for p in gan.parameters():
            p.mul_(4)
        drawn = gan.translate(roundtrip.to_tensor(opened(source), 3), "BA")  # type: ignore[operator]
    assert np.array_equal(np.asarray(opened("out.png")), to_pixels(drawn)[0])


def test_an_animation_is_translated_frame_by_frame(cli: Cli, tmp_path: Path, model: Path) -> None:
    frames = [opened(picture(tmp_path / f"{i}.png", (18, 20 + i))).resize((18, 20)) for i in range(4)]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"in.{suffix}", save_all=True, append_images=frames[1:], duration=70, loop=3)
        assert cli("translate", model, f"in.{suffix}", "--out", f"out.{suffix}").code == 0
        with Image.open(f"out.{suffix}") as drawn:
            assert (drawn.n_frames, drawn.size) == (4, (18, 20))  # type: ignore[attr-defined]
            drawn.seek(1)
            drawn.load()
            assert drawn.info["duration"] == 70
    done = cli("translate", model, "in.gif", "--out", "out.jpg")
    assert done.code == 2
    assert "cannot hold an animation" in done.err


def test_channels_of_the_model(cli: Cli, tmp_path: Path) -> None:
    source = picture(tmp_path / "in.png", mode="RGBA")
    grey = saved(tmp_path, "cut", DataSpec(1, 16, 16))
    assert cli("translate", grey, source, "--out", "grey.png").code == 0
    whole = saved(tmp_path, "pix2pix", DataSpec(4, 16, 16))
    assert cli("translate", whole, source, "--out", "whole.png").code == 0
    assert opened("whole.png").mode == "RGBA"


# ------------------------------------------------------------------------------------------- files and names


def test_where_it_goes_by_default(cli: Cli, tmp_path: Path, model: Path) -> None:
    source = picture(tmp_path / "a.jpg", mode="RGB")
    assert cli("translate", model, source).out.strip() == str(tmp_path / "a.cyclegan.png")
    (tmp_path / "many" / "deep").mkdir(parents=True)
    for name in ("x.png", "y.PNG", "y.gif", "deep/x.png", "deep/x.webp", "z.bmp", "z.png"):
        picture(tmp_path / "many" / name)
    done = cli("translate", model, "many")
    assert done.code == 0, done.err
    made = sorted(p.relative_to("translated").as_posix() for p in Path("translated").rglob("*.*"))
    assert made == ["deep/x.png", "deep/x.webp", "x.png", "y.gif", "y.png", "z.bmp.png", "z.png.png"]


def test_globs_and_what_is_there_already(cli: Cli, tmp_path: Path, model: Path) -> None:
    for name in ("a.png", "b.png", "c.jpg"):
        picture(tmp_path / name)
    done = cli("translate", model, "*.png", "c.jpg", "--out", "o", "--json")
    assert len(json.loads(done.out)["files"]) == 3
    before = Path("o/a.png").stat().st_mtime_ns
    done = cli("translate", model, "*.png", "--out", "o")
    assert (done.code, Path("o/a.png").stat().st_mtime_ns) == (0, before)
    assert "--overwrite" in done.err
    cli("translate", model, "*.png", "--out", "o", "--overwrite")
    assert Path("o/a.png").stat().st_mtime_ns > before


def test_one_broken_picture_does_not_stop_the_others(cli: Cli, tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(12):
        picture(folder / f"{i:02d}.png")
    whole = (folder / "03.png").read_bytes()
    (folder / "03.png").write_bytes(whole[: len(whole) // 2])
    (folder / "07.png").write_bytes(b"")
    done = cli("translate", model, folder)
    assert done.code == 2
    assert len(list(Path("translated").iterdir())) == 10
    assert "2 of 12" in done.err
    assert "03.png" in done.err
    assert "07.png" in done.err
    assert len(done.err.splitlines()) == 1


def test_standard_input_and_output(cli: Cli, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture(tmp_path / "in.png").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert cli("translate", model, "-", "--out", "out.png").code == 0
    assert opened("out.png").size == (20, 30)


@pytest.mark.parametrize(("side", "options", "said"), [(32, (), True), (31, (), False), (32, ("--size", 16), False)])
def test_pictures_much_larger_than_those_it_learnt_from_get_a_hint(
    cli: Cli, tmp_path: Path, model: Path, side: int, options: tuple[object, ...], said: bool
) -> None:
    source = picture(tmp_path / "a.png", (side, side + 5))
    result = cli("translate", model, source, "--direction", "AB", *options)
    assert result.code == 0
    assert ("--size 16 may look better" in result.err) is said


def test_compare_and_size(cli: Cli, tmp_path: Path, model: Path) -> None:
    source = picture(tmp_path / "in.png", (20, 30))
    assert cli("translate", model, source, "--compare", "--size", "40", "--out", "out.png").code == 0
    assert opened("out.png").size == (80, 60)
    assert cli("translate", model, source, "--size", "24x16", "--out", "sized.png").code == 0
    assert opened("sized.png").size == (24, 16)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.png",), "missing.png (No such file"),
        (("nothing-*.png",), "no images in"),
        (("in.png", "--direction", "cow"), "horse2zebra"),
        (("in.png", "--mask", "1,1,2,2"), "cyclegan does not fill holes"),
        (("in.png", "--seed", "3"), "cyclegan is deterministic"),
        (("in.png", "-"), "no other source"),
        (("in.png", "in.png", "--out", "x.png"), "give a folder"),
        (("in.png", "--out", "x.what"), "not an image file extension"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, tmp_path: Path, model: Path, arguments: tuple[str, ...], said: str) -> None:
    picture(tmp_path / "in.png")
    done = cli("translate", model, *arguments)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_a_model_that_draws_from_noise_is_refused(cli: Cli, tmp_path: Path) -> None:
    picture(tmp_path / "in.png")
    done = cli("translate", saved(tmp_path, "dcgan"), "in.png")
    assert (done.code, done.err) == (2, "gancli: dcgan does not translate images: try `gancli sample`\n")


def test_a_bomb_is_refused(cli: Cli, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    picture(tmp_path / "in.png", (40, 40))
    done = cli("translate", model, "in.png")
    assert done.code == 2
    assert "bomb" in done.err


def test_directions_by_name() -> None:
    both, domains = ("AB", "BA"), ("horse", "zebra")
    cases = {None: "AB", "ba": "BA", "zebra": "AB", "Horse": "BA", "horse2zebra": "AB", "zebra2horse": "BA"}
    for given, direction in cases.items():
        assert choose_direction(given, both, domains) == direction
    with pytest.raises(UserError):
        choose_direction("BA", ("AB",), domains)


def test_noise_is_the_seeds(cli: Cli, tmp_path: Path) -> None:
    model, source = saved(tmp_path, "pix2pix", DataSpec(3, 32, 32)), picture(tmp_path / "in.png", (32, 32))
    drawn = []
    for seed in (("--seed", 1), ("--seed", 1), ("--seed", 2), (), ()):
        assert cli("translate", model, source, "--out", "o.png", "--overwrite", *seed).code == 0
        drawn.append(Path("o.png").read_bytes() and np.asarray(opened("o.png")).tobytes())
    assert drawn[0] == drawn[1]
    assert drawn[3] == drawn[4]
    assert len(set(drawn)) == 3


class Painter(GAN):  # type: ignore[type-arg]
    """Fills every hole with white."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.spec, self.weight = DataSpec(3, 16, 16), nn.Parameter(torch.zeros(()))

    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask > 0, torch.ones_like(image), image)


def test_a_hole_is_filled_and_nothing_else_moves(tmp_path: Path) -> None:
    given = opened(picture(tmp_path / "in.png", (40, 60)))
    draw = _drawing(Painter(), "painter", TranslationRequest("", (), mask="4,6,10,12"), torch.device("cpu"))
    drawn = np.asarray(draw(given))
    inside = np.zeros((60, 40), bool)
    inside[6:18, 4:14] = True
    assert np.array_equal(drawn[~inside], np.asarray(given)[~inside])
    assert (drawn[7:17, 5:13] > 250).all()
    with pytest.raises(UserError, match="outside"):
        roundtrip.hole("50,0,4,4", (40, 60))
    Image.new("L", (4, 4), 255).save(tmp_path / "mask.png")
    assert np.asarray(roundtrip.hole(str(tmp_path / "mask.png"), (8, 8))).min() == 255


def test_a_picture_larger_than_a_tile(cli: Cli, tmp_path: Path, model: Path) -> None:
    picture(tmp_path / "in.png", (210, 90))
    assert cli("translate", model, "in.png", "--tile", 64, "--out", "out.png").code == 0
    assert opened("out.png").size == (210, 90)
