"""Generators of other people with styles, and their kin: what is imported draws what the authors' code drew."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.checkpoints import checkpoint
from gancli.checkpoints.find import Model
from gancli.checkpoints.importers.convert import convert
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.load import load_model
from gancli.inference.sampling.styles import steered
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
