"""Small valid files of every kind that gancli reads; tests/dev/mutants.py damages them."""

import functools
import gzip
import io
import json
import pickle
import shutil
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from tests.parity import FOLDER as PARITY

Run = Callable[[list[Any]], int]  # runs a command and returns its exit code


class Source(NamedTuple):
    """A valid file."""

    kind: str  # checkpoint, image, like, archive, array, pth, weights, stats, run, cache, trust
    name: str
    content: bytes


# -------------------------------------------------------------------------------------------------- images


def images() -> list[Source]:
    """Return a small image of every format and mode that gancli reads."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (12, 10, 3), np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (8, 8), np.uint16))
    palette, frames = rgb.convert("P"), [rgb.rotate(90 * i) for i in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    made: list[tuple[str, Image.Image, dict[str, Any]]] = [
        *((f"{mode}.png", rgb.convert(mode), {}) for mode in ("1", "L", "LA", "RGB", "RGBA")),
        ("16.png", deep, {}),
        ("P.png", palette, {"transparency": 3}),
        ("exif.png", rgb, {"exif": exif}),
        ("animated.png", frames[0], {"save_all": True, "append_images": frames[1:]}),
        *((f"{mode}.jpg", rgb.convert(mode), {"exif": exif}) for mode in ("L", "RGB", "CMYK")),
        ("progressive.jpg", rgb, {"progressive": True}),
        ("RGB.webp", rgb, {}),
        ("animated.webp", frames[0], {"save_all": True, "append_images": frames[1:], "lossless": True}),
        ("P.gif", palette, {"transparency": 3}),
        ("animated.gif", frames[0], {"save_all": True, "append_images": frames[1:]}),
        ("RGB.bmp", rgb, {}),
        ("lzw.tif", rgb, {"compression": "tiff_lzw"}),
        ("16.tif", deep, {}),
        ("pages.tif", rgb, {"save_all": True, "append_images": frames[1:]}),
        ("RGB.ppm", rgb, {}),
        ("RGB.tga", rgb, {"compression": "tga_rle"}),
        ("RGB.ico", rgb.convert("RGBA"), {}),
        ("RGB.avif", rgb, {}),
        ("RGB.jp2", rgb, {}),
    ]
    return [Source("image", name, _saved(image, name, options)) for name, image, options in made]


def _saved(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    formats = Image.registered_extensions()
    image.save(stream, formats[Path(name).suffix], **options)
    return stream.getvalue()


# --------------------------------------------------------------------------------------- archives and arrays


def archives(pictures: list[Source]) -> list[Source]:
    """Return a folder of images in every kind of archive."""
    found = []
    for name, method in (("stored.zip", zipfile.ZIP_STORED), ("packed.zip", zipfile.ZIP_DEFLATED), ("x.zip", 14)):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for picture in pictures[:6]:
                archive.writestr(f"top/{picture.name[0]}/{picture.name}", picture.content)
        found.append(Source("archive", name, stream.getvalue()))
    for name, mode in (("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tar.xz", "w:xz"), ("x.tar.bz2", "w:bz2")):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
            for picture in pictures[:6]:
                member = tarfile.TarInfo(f"top/{picture.name[0]}/{picture.name}")
                member.size = len(picture.content)
                archive.addfile(member, io.BytesIO(picture.content))
            link = tarfile.TarInfo("top/link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        found.append(Source("archive", name, stream.getvalue()))
    return found


def arrays() -> list[Source]:
    """Return npz and idx files."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    idx = b"\0\0\x08\x03" + struct.pack(">3i", 12, 8, 8) + pixels[..., 0].tobytes()
    return [
        Source("array", "plain.npz", npz(images=pixels, labels=np.arange(12) % 3)),
        Source("array", "packed.npz", npz(np.savez_compressed, images=pixels[..., 0])),
        Source("array", "train-images-idx3-ubyte", idx),
        Source("array", "train-images-idx3-ubyte.gz", gzip.compress(idx)),
    ]


def npz(save: Callable[..., None] = np.savez, **held: Any) -> bytes:
    """Pack arrays."""
    stream = io.BytesIO()
    save(stream, **held)
    return stream.getvalue()


# --------------------------------------------------------------------------------------------------- pickles


class Code:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("open('escaped', 'w').write('code was run')",)


def pickles() -> list[Source]:
    """Return .pth files: a known generator in both of torch's formats, and pickles that contain code."""
    from tests.checkpoints.renditions import ResNet

    state = {name: tensor.half() for name, tensor in ResNet(1, 1).state_dict().items()}
    wrapped = {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3, "é": Code}
    code, found = {"a": Code()}, []
    for name, new, held in (
        ("zip.pth", True, state),
        ("old.pth", False, state),
        ("wrapped.pth", True, wrapped),
        ("code.pth", True, code),
    ):
        stream = io.BytesIO()
        torch.save(held, stream, _use_new_zipfile_serialization=new)
        found.append(Source("pth", name, stream.getvalue()))
    return [*found, Source("pth", "code.pkl", pickle.dumps(Code()))]


def weights() -> list[Source]:
    """Return other people's generators in their published containers, and the files beside them."""
    paths = [path for path in sorted(PARITY.iterdir()) if path.suffix != ".npz" and path.name != "index.json"]
    published = [Source("weights", path.name, path.read_bytes()) for path in paths]
    return [*published, _chainer(), _tensorflow(), *ncnn()]


@functools.cache
def ncnn() -> list[Source]:
    """Return the two files of a network for ncnn, each of which is read with the other."""
    from gancli.nets.enlargers.srvgg import CompactNet
    from tests.checkpoints.importers import test_ncnn

    with tempfile.TemporaryDirectory() as folder:
        test_ncnn.write(Path(folder), CompactNet(3, 4, 2, 2))
        return [Source("weights", path.name, path.read_bytes()) for path in sorted(Path(folder).iterdir())]


def _tensorflow() -> Source:
    from gancli.data.spec import DataSpec
    from gancli.nets.high_fidelity.stylegan2 import Generator
    from tests.checkpoints.importers import style_layouts

    net = style_layouts.tensorflow(Generator(4, 4, 2, [4, 4], DataSpec(3, 8, 8)).state_dict())
    return Source("weights", "stylegan2.pkl", style_layouts.pickled((net,) * 3))


def _chainer() -> Source:
    from gancli.data.spec import DataSpec
    from gancli.imported.generators.residual_gan import ResidualGAN, ResidualHParams
    from tests.checkpoints.importers.resnet_layouts import chainer, filled

    hp = ResidualHParams(z_dim=2, channels="4,3,3", eps=2e-5)
    gan = filled(ResidualGAN(hp, DataSpec(3, 16, 16, ("0", "1"))))
    arrays = {name: tensor.numpy() for name, tensor in chainer(gan).items()}
    return Source("weights", "ResNetGenerator.npz", npz(np.savez_compressed, **arrays))


def stats() -> list[Source]:
    """Return files for `eval --stats`: StyleGAN's sums and plain moments in pickles of every protocol, and gancli's."""
    rows = np.random.default_rng(0).standard_normal((50, 3))
    moments = {"mu": rows.mean(0), "sigma": np.cov(rows.T)}
    sums = {"capture_all": False, "max_items": None, "num_items": 50, "num_features": 3, "all_features": None}
    sums |= {"raw_mean": rows.sum(0), "raw_cov": rows.T @ rows}
    said = json.dumps({"extractor": "inception", "real": {"data": "x", "images": 50}})
    tensors = {name: torch.from_numpy(value) for name, value in moments.items()}
    pickled = {"sums": sums, "moments": moments}
    return [
        *(Source("stats", f"{n}-{p}.pkl", pickle.dumps(held, p)) for n, held in pickled.items() for p in range(6)),
        Source("stats", "plain.npz", npz(**moments, protocol=np.array(said))),
        Source("stats", "packed.npz", npz(np.savez_compressed, **moments)),
        Source("stats", "x.safetensors", save(tensors, {"protocol": said})),
    ]


# ------------------------------------------------------------------------------------ files that gancli writes

TRAIN = ("--batch", 4, "--width", 4, "--quiet", "--device", "cpu", "--precision", "fp32", "--metrics", "none")
VARIANTS: dict[str, tuple[Any, ...]] = {  # with their options; `data` and `domains` are folders beside the runs
    "gan": ("--z-dim", 4, "--data", "data"),
    "dcgan": ("--z-dim", 4, "--data", "data"),
    "vae": ("--z-dim", 4, "--data", "data"),
    "cgan": ("--z-dim", 4, "--data", "domains"),
    "wgan-gp": ("--z-dim", 4, "--data", "ring8"),
    "cyclegan": ("--blocks", 1, "--data", "domains", "--pool", 1),
    "pix2pix": ("--data", "data", "--pairs", "gray", "--size", 16),
    "context-encoder": ("--bottleneck", 8, "--data", "data", "--size", 32),
}


def training(variant: str, out: Path, steps: int, whole: Path) -> list[Any]:
    """Return the command that trains a variant."""
    words = [whole / word if word in ("data", "domains") else word for word in VARIANTS[variant]]
    return ["train", variant, *TRAIN, "--steps", steps, *words, "--out", out]


def trained(whole: Path, run: Run) -> list[Source]:
    """Return checkpoints of all kinds of networks, trained for one step, and the files of one run."""
    found = []
    for variant in VARIANTS:
        folder = whole / "runs" / variant
        assert run(training(variant, folder, 1, whole)) == 0, variant
        content = next((folder / "checkpoints").glob("0*")).read_bytes()
        found.append(Source("checkpoint", f"{variant}.safetensors", content))
    files = ("run.json", "metrics.jsonl")
    return [*found, *(Source("run", name, (whole / "runs" / "gan" / name).read_bytes()) for name in files)]


def drawn(whole: Path, run: Run) -> list[Source]:
    """Return images of `gancli sample`, for --like."""
    found = []
    for name, words in {"gan.png": ["gan", "--seeds", "3,5"], "cgan.png": ["cgan", "-n", 2, "--class", "A"]}.items():
        assert run(["sample", whole / "runs" / words[0], *words[1:], "--out", whole / name]) == 0, name
        found.append(Source("like", name, (whole / name).read_bytes()))
    return found


def cached(whole: Path, run: Run, cache: Path) -> list[Source]:
    """Return the files of a cache that contains only the data; copy it to whole/cache."""
    assert run([*training("gan", whole / "none", 1, whole), "--dry-run"]) == 0
    shutil.copytree(cache, whole / "cache")
    (entry,) = (path for path in (whole / "cache" / "images").iterdir() if not path.name.startswith("."))
    return [Source("cache", f"images/{entry.name}/{path.name}", path.read_bytes()) for path in entry.iterdir()]


def trusted(whole: Path, run: Run, config: Path) -> list[Source]:
    """Return a trusted .py file and its mark of trust; copy the marks to whole/config."""
    (whole / "mine.py").write_text("open('escaped', 'w')\n")
    assert run(["trust", whole / "mine.py"]) == 0
    shutil.copytree(config / "gancli", whole / "config" / "gancli")
    (mark,) = (whole / "config" / "gancli" / "trusted").iterdir()
    code = Source("trust", "mine.py", (whole / "mine.py").read_bytes())
    return [code, Source("trust", mark.name, mark.read_bytes())]
