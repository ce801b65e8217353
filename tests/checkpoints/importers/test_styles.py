"""Generators of other people with styles, and their kin: what is imported draws what the authors' code drew."""

import json
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
from gancli.cli.commands.other import models
from gancli.inference.sampling.styles import steered
from tests.conftest import Cli
from tests.parity import Fixture, fixture

TRUNCATED = {"psi1": (1.0, None), "psi0.7": (0.7, None), "psi0.5_cutoff3": (0.5, "0-2")}  # psi, layers
SIZED = {f"rosinality-sg1.model at {side}": ("rosinality-sg1.model", side) for side in (16, 128)}
FIXTURES = {  # the variant, if it is one that can be trained
    "sg2ada-uncond32.pkl": "stylegan2",
    "sg2ada-uncond32-p4.pkl": "stylegan2",
    "sg2ada-cond16.pkl": "stylegan2",
    "sg3t-32.pkl": "stylegan3",
    "sg3r-32.pkl": "stylegan3",
    "rosinality-sg2-64.pt": "stylegan2",
    "rosinality-sg2-32-converted.pt": "stylegan2",
}


def loaded(file: Path, folder: Path, **asked: Any) -> tuple[Any, str]:
    out = convert(file, folder / "out.safetensors", Asked("x", **asked))
    about = checkpoint.describe(out)
    return load_model(Model(out, about, "")), about.variant


def latents(given: Fixture) -> Tensor:
    """Noise and, for a conditional model, one-hot labels."""
    return torch.cat([torch.from_numpy(given.arrays[name]) for name in ("in_z", "in_c") if name in given.arrays], 1)


def close(given: Fixture, output: str, found: Tensor) -> bool:
    images = given.arrays[output]
    return given.off(output, found[: len(images)].numpy()) <= given.limit(output)


def of(gan: Any, z: Tensor, psi: float, layers: str | None) -> Tensor:
    """The network's own output, which is not clipped."""
    w = gan.styles(z) if psi == 1 else steered(gan, z, psi, layers)
    with torch.no_grad():
        return gan.G.synthesis(w)


@pytest.mark.parametrize("file", FIXTURES)
def test_what_is_imported_draws_what_the_authors_drew(file: str, tmp_path: Path) -> None:
    given = fixture(file)
    gan, variant = loaded(given.file, tmp_path)
    assert variant == FIXTURES[file]
    if "in_mean_latent" in given.arrays:  # they sampled theirs
        gan.G.mapping.w_avg.copy_(torch.from_numpy(given.arrays["in_mean_latent"][0]))
    z = latents(given)
    assert close(given, "out_w", gan.styles(z)[:, 0])
    checked = [name for name in given.arrays if name.startswith("out_psi") and not name.endswith("_none")]
    assert len(checked) >= 2
    for name in checked:
        assert close(given, name, of(gan, z, *TRUNCATED[name.removeprefix("out_").removesuffix("_const")])), name
    for name, parameter in gan.G.named_parameters():
        parameter.zero_() if name.endswith("noise_strength") else None
    if "out_psi1_none" in given.arrays:
        assert close(given, "out_psi1_none", of(gan, z, *TRUNCATED["psi1"]))


@pytest.mark.parametrize("side", [16, 128])
def test_stylegan_of_rosinality(side: int, tmp_path: Path) -> None:
    given = fixture("rosinality-sg1.model")
    gan, variant = loaded(given.file, tmp_path, size=(side, side))
    assert variant == ("stylegan" if side == 16 else "stylegan-generator")
    level = {16: 2, 128: 5}[side]
    mapped = gan.styles(latents(given))
    assert close(given, "out_w", mapped[:, 0])
    mean = torch.from_numpy(given.arrays["in_mean_style"][0])
    spread = (gan.styles(gan.prior(500))[:, 0] - mean).norm(dim=1).mean()
    assert (gan.G.mapping.w_avg - mean).norm() < 0.1 * spread
    gan.G.mapping.w_avg.copy_(mean)
    for at, block in enumerate(gan.G.synthesis.blocks):
        assert torch.equal(block.style1.noise_const, block.style2.noise_const)
        for style in (block.style1, block.style2):
            style.noise_const.copy_(torch.from_numpy(given.arrays[f"in_noise_{at}"])[0, 0])
    for psi in ("psi1", "psi0.7"):
        if (name := f"out_step{level}_{psi}_noise") in given.arrays:
            assert close(given, name, of(gan, latents(given), *TRUNCATED[psi])), name


def test_r3gan(tmp_path: Path) -> None:
    given = fixture("r3gan-uncond32.pkl")
    gan, variant = loaded(given.file, tmp_path)
    assert variant == "r3gan-generator"
    with torch.no_grad():
        assert close(given, "out_fp32", gan.G(latents(given)))
        assert np.array_equal(gan.generate(latents(given)).numpy(), gan.G(latents(given)).clamp(-1, 1).numpy())


def test_progan(tmp_path: Path) -> None:
    given = fixture("ganzoo-pgan-32.pth")
    gan, variant = loaded(given.file, tmp_path)
    assert variant == "progan-generator"
    with torch.no_grad():
        assert close(given, "out_avgG", gan.G(latents(given)))


@pytest.mark.parametrize("file", ["sg2ada-uncond32.pkl", "sg2ada-cond16.pkl", "sg3t-32.pkl"])
def test_seeds_of_nvlabs_give_its_images(file: str, cli: Cli) -> None:
    """Through the command line: their noise, their styles, and their way from values to bytes."""
    given = fixture(file)
    assert cli("import", str(given.file), "--as", "theirs").code == 0
    seeds = given.config["seeds"]
    name = next(name for name in given.arrays if name.startswith("out_psi0.7"))
    for at, image in enumerate(given.arrays[name][:2]):
        words = ["--seeds", str(seeds[at]), "--truncation", "0.7", "--seed-scheme", "nvlabs", "--out", "x.png"]
        if "in_c" in given.arrays:
            words += ["--class", str(given.arrays["in_c"][at].argmax())]
        done = cli("sample", "theirs", *words)
        assert done.code == 0, done.err
        expected = np.clip(image.transpose(1, 2, 0) * 127.5 + 128, 0, 255)
        with Image.open("x.png") as drawn:
            off = np.asarray(drawn) - expected  # truncated: from -1 to 0, but for rounding on either side
        slack = 127.5 * given.limit(name)
        assert -1 - slack <= off.min() <= off.max() <= slack
    assert cli("sample", "--like", "x.png", "--out", "again.png").code == 0
    assert Path("again.png").read_bytes() == Path("x.png").read_bytes()
    assert cli("sample", "theirs", "--seeds", str(2**32), "--seed-scheme", "nvlabs").code == 2
    assert cli("sample", "theirs", "--directions", "1", "--seed-scheme", "nvlabs").code == 2


def test_truncation_of_the_first_layers_and_a_way_through_styles(cli: Cli) -> None:
    assert cli("import", str(fixture("sg2ada-uncond32.pkl").file), "--as", "faces").code == 0
    assert cli("sample", "faces", "-n", "2", "--truncation", "0.5", "--layers", "0-2", "--out", "cut.png").code == 0
    assert cli("interpolate", "faces", "--seeds", "0,1", "--frames", "3", "--out", "way.png").code == 0
    assert cli("sample", "faces", "--mix", "0-1", "2-3", "--out", "mixed.png").code == 0


def test_info_tells_what_the_file_does_and_nothing_of_training(cli: Cli) -> None:
    """A resumed or fine-tuned run still shows all of it."""
    assert cli("import", str(fixture("sg2ada-cond16.pkl").file), "--as", "faces").code == 0
    rows = dict(line.split(maxsplit=1) for line in cli("info", "faces").out.splitlines())
    assert rows.keys() == {"checkpoint", "variant", "data", "truncation", "run", "options"}
    assert rows["run"].startswith("imported sg2ada-cond16.pkl, sha256 ")
    shown = {word.split()[0] for word in rows["options"].split(", ")}
    assert {"z_dim", "w_dim", "mapping"} <= shown
    assert not {"batch", "kimg", "lr", "beta1", "r1", "path", "mirror", "mixing"} & shown
    done = json.loads(cli("info", "faces", "--json").out)
    assert "batch" in done["hparams"]
    del done["run"]["architecture"]  # which older versions did not keep
    assert models._options(done) == done["hparams"]


def test_stylegans_of_rosinality_ask_for_their_size(cli: Cli) -> None:
    file = str(fixture("rosinality-sg1.model").file)
    for words in ([], ["--size", "48"], ["--size", "64x32"]):
        done = cli("import", file, "--as", "faces", *words)
        assert (done.code, "give --size, one of 8, 16" in done.err) == (2, True), done.err
    assert not Path("runs/faces").exists()
