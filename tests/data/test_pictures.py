"""Any picture of any mode becomes the right bytes; any heap of files becomes an array or a clear error."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.data.sources.decode import natural_size
from gancli.data.sources.torchvision import NAMED, root
from gancli.errors import UserError
from gancli.images.reading import to_array
from gancli.images.sizes import parse_size
from tests.conftest import noise_images
from tests.data.sources import opened

# --- one picture


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_every_mode_keeps_white_white_and_black_black(mode: str) -> None:
    values = np.zeros((4, 4), np.uint8)
    values[:, 2:] = 255
    grey = Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(values.astype(np.uint16) * 257)
    elif mode in ("I", "F"):
        image = Image.fromarray(values.astype(np.int32 if mode == "I" else np.float32))
    else:
        image = grey.convert("RGB").convert(mode) if mode not in ("LA",) else grey.convert(mode)
    array = to_array(image, (4, 4), 3)
    assert array.shape == (3, 4, 4)
    assert np.abs(array.astype(int) - values).max() <= 2


def test_16_bit_values_are_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 16384, 32768, 65535]], np.uint16))
    assert to_array(image, (1, 4), 1).ravel().tolist() == pytest.approx([0, 64, 128, 255], abs=1)


def test_transparency_is_laid_on_white_or_kept() -> None:
    image = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert (to_array(image, (2, 2), 3) == 255).all()
    assert to_array(image, (2, 2), 4)[3].max() == 0
    half = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert to_array(half, (2, 2), 1).max() == pytest.approx(127, abs=1)


def test_a_palette_with_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "p.png", transparency=0)
    with Image.open(tmp_path / "p.png") as read:
        assert (to_array(read, (2, 2), 3) == 255).all()


def test_hidden_colours_do_not_bleed_when_resized() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (0, 0, 255, 255)
    pixels[:, 4:] = (255, 0, 0, 0)  # red, and invisible
    array = to_array(Image.fromarray(pixels), (4, 4), 4)
    visible = array[3] > 30
    assert array[0][visible].max() <= 2


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    pixels = np.zeros((2, 4), np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn right by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as image:
        assert to_array(image, (4, 2), 1)[0, 0, 1] == 255


def test_other_aspects_are_cut_round_the_middle() -> None:
    pixels = np.zeros((4, 12), np.uint8)
    pixels[:, 4:8] = 200
    assert (to_array(Image.fromarray(pixels), (4, 4), 1) == 200).all()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({(28, 28): 5}, (28, 28)),
        ({(64, 48): 5}, (64, 48)),
        ({(256, 256): 5}, (256, 256)),
        ({(218, 178): 5}, (64, 64)),
        ({(100, 100): 5}, (64, 64)),
        ({(40, 40): 5, (50, 30): 5}, (32, 32)),
        ({(1000, 700): 2, (30, 30): 1}, (64, 64)),
        ({(3, 3): 1}, (8, 8)),
    ],
)
def test_the_size_comes_from_the_data(sizes: dict[tuple[int, int], int], expected: tuple[int, int]) -> None:
    from collections import Counter

    assert natural_size(Counter(sizes)) == expected


# --- heaps of files


def test_flat_nested_and_class_folders(tmp_path: Path) -> None:
    assert opened(noise_images(tmp_path / "flat")).classes == ()
    noise_images(tmp_path / "classes" / "cat", 3)
    noise_images(tmp_path / "classes" / "dog" / "deeper", 2)
    found = opened(tmp_path / "classes")
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert found.images.shape == (5, 3, 8, 8)


def test_zip_and_tar_hold_what_the_folder_holds(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "in" / "a", 4)
    noise_images(tmp_path / "in" / "b", 3, mode="L")
    expected = opened(folder.parent)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in sorted(folder.parent.rglob("*.png")):
            archive.write(path, Path("top") / path.relative_to(folder.parent))
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(folder.parent, "top")
    for name in ("x.zip", "x.tar.gz"):
        found = opened(tmp_path / name)
        assert np.array_equal(found.images, expected.images)
        assert found.classes == expected.classes == ("a", "b")


def test_archives_are_never_unpacked(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "PNG")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../escape.png", picture.getvalue())
        archive.writestr("/absolute.png", picture.getvalue())
    before = sorted(tmp_path.rglob("*"))
    assert len(opened(tmp_path / "x.zip").images) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_grey_stays_grey_unless_told(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "grey", mode="L")
    assert opened(folder).images.shape[1] == 1
    assert opened(folder, channels=3).images.shape[1] == 3
    assert opened(folder, channels=4, size=(16, 24)).images.shape[1:] == (4, 16, 24)


def test_the_second_opening_reads_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = noise_images(tmp_path / "x")
    first = opened(folder)
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(opened(folder).images, first.images)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "x")
    opened(folder)
    Image.new("RGB", (8, 8), "white").save(folder / "000.png")
    assert opened(folder).images[0].min() == 255


def test_few_broken_files_are_named_and_skipped(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "x", 120)
    (folder / "007.png").write_bytes(b"broken")
    found = opened(folder)
    assert len(found.images) == 119
    assert "007.png" in " ".join(found.notes)


def test_many_broken_files_are_an_error_that_names_them(tmp_path: Path) -> None:
    folder = noise_images(tmp_path / "x", 10)
    data = (folder / "003.png").read_bytes()
    (folder / "003.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"1 of 10 images cannot be read: 003\.png \("):
        opened(folder)


def test_a_bomb_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError, match="cannot be read"):
        opened(noise_images(tmp_path / "x"), size=(8, 8), channels=3)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("./missing", "no such file or folder"),
        ("shape-easy", "did you mean shapes-easy"),
        ("empty", "no images in"),
        ("text.txt", "is not a folder"),
        ("cut.zip", "is not a readable archive"),
        ("cut.npz", "should be an npz"),
    ],
)
def test_bad_sources_say_what_would_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for name in ("text.txt", "cut.zip", "cut.npz"):
        Path(name).write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(UserError, match=says):
        opened(source)


@pytest.mark.parametrize(("text", "size"), [("64", (64, 64)), ("48x32", (32, 48)), (None, None)])
def test_sizes(text: str | None, size: tuple[int, int] | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "64x", "-3", "2", "99999", "64 x 64 x 3"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(UserError, match="--size"):
        parse_size(text)


# --- arrays and names


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def write_fashion(folder: Path, gz: bool) -> np.ndarray:
    import gzip

    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), np.uint8)
    labels = np.arange(30, dtype=np.uint8) % 10
    for split in ("train", "t10k"):
        for name, array in ((f"{split}-images-idx3-ubyte", images), (f"{split}-labels-idx1-ubyte", labels)):
            data = idx(array)
            (folder / (name + ".gz" * gz)).write_bytes(gzip.compress(data) if gz else data)
    return images


@pytest.mark.parametrize("gz", [True, False])
def test_idx_files(tmp_path: Path, gz: bool) -> None:
    images = write_fashion(tmp_path / "x", gz)
    found = opened(tmp_path / "x")
    assert np.array_equal(found.images[:, 0], images)
    assert found.labels.tolist() == [i % 10 for i in range(30)]


def test_a_cut_idx_file_is_refused(tmp_path: Path) -> None:
    write_fashion(tmp_path / "x", gz=False)
    path = tmp_path / "x" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="is damaged"):
        opened(tmp_path / "x")


def test_npz(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(5))
    found = opened(tmp_path / "x.npz")
    assert np.array_equal(found.images, images.transpose(0, 3, 1, 2))
    assert found.labels.tolist() == [0, 1, 2, 3, 4]


def test_an_npz_of_pickles_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="npz of plain arrays"):
        opened(tmp_path / "x.npz")


def test_torchvision_finds_files_laid_where_it_wants_them() -> None:
    images = write_fashion(root() / "FashionMNIST" / "raw", gz=False)
    found = opened("fashion-mnist")
    assert np.array_equal(found.images[:, 0], images)
    assert found.classes[0] == "T-shirt top"
    assert found.labels.tolist() == [i % 10 for i in range(30)]


def test_a_data_set_that_cannot_be_fetched_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def refuse(self: object) -> None:
        raise RuntimeError("Error downloading:\n" + "Tried https://mirror.example, got: no route to host\n" * 9)

    monkeypatch.setattr(datasets.KMNIST, "download", refuse)
    words = (
        r"kmnist cannot be fetched from http://codh\.rois\.ac\.jp/kmnist/dataset/kmnist/ "
        r"\(Error .* got: no route to host Tried …\): put torchvision's files into .*KMNIST"
    )
    with pytest.raises(UserError, match=words):
        opened("kmnist")


@pytest.mark.parametrize("name", NAMED)
def test_every_named_data_set_has_an_address(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The error that says that it cannot be fetched names it; only CelebA is at Google Drive."""
    from torchvision import datasets

    def refuse(*_: object, download: bool, **__: object) -> None:
        raise RuntimeError("no network" if download else "not found")

    kind = getattr(datasets, NAMED[name].dataset)
    monkeypatch.setattr(kind, "__init__", refuse)
    with pytest.raises(
        UserError, match=r"cannot be fetched from (https?://\S+\.\S+|Google Drive) \(no network\)"
    ) as error:
        opened(name)
    assert ("Google Drive" in str(error.value)) == (name == "celeba")
