"""Saved latents: what is written is read again, and what others write is one line at worst."""

import json
import os
import struct
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from gancli.checkpoints.find import Model, find_model
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.inference.sampling import latents, stops
from gancli.inference.sampling.draw import latent_of
from gancli.inference.sampling.latents import SavedAbout
from gancli.inference.sampling.stops import parse_stops
from tests.conftest import Cli, Once
from tests.inference.bands import bands, trained
from tests.inference.truncated import model_of

GAN = bands()
MODEL = model_of(GAN, "0123456789abcdef")
ABOUT = SavedAbout("z", "bands", MODEL.fingerprint)
SHAPES: dict[Any, tuple[int, ...]] = {"z": (6,), "w": (1, 6), "w+": (4, 6)}


@pytest.fixture
def run(cli: Cli, once: Once) -> Path:
    return trained(cli, once)


@pytest.mark.parametrize("space", SHAPES)
def test_what_is_saved_is_read(tmp_path: Path, space: Any) -> None:
    values = torch.randn(SHAPES[space], generator=torch.Generator().manual_seed(0))
    latents.save(tmp_path / "x.latent", values, replace(ABOUT, space=space, error=0.5, source="a.png"))
    read, about = latents.load(tmp_path / "x.latent", GAN, MODEL)
    assert torch.equal(read, (values.expand(4, -1) if space == "w" else values)[None])
    assert about == replace(ABOUT, space=space, error=0.5, source="a.png")
    assert (tmp_path / "x.latent").stat().st_size < 600


def write(path: Path, values: torch.Tensor, about: Any, name: str = "latent") -> Path:
    save_file({name: values}, path, {"gancli-latent": about if isinstance(about, str) else json.dumps(about)})
    return path


SAID = asdict(ABOUT)
GOOD = torch.zeros(6)
WRONG: dict[str, tuple[torch.Tensor, Any, str]] = {
    "not finite": (torch.full((6,), float("nan")), SAID, "latent"),
    "infinite": (torch.full((6,), float("inf")), SAID, "latent"),
    "too large": (torch.full((6,), 1e30), SAID, "latent"),
    "half": (GOOD.half(), SAID, "latent"),
    "double": (GOOD.double(), SAID, "latent"),
    "whole numbers": (GOOD.long(), SAID, "latent"),
    "another name": (GOOD, SAID, "z"),
    "too long": (torch.zeros(7), SAID, "latent"),
    "empty": (torch.zeros(0), SAID, "latent"),
    "scalar": (torch.tensor(1.0), SAID, "latent"),
    "a batch": (torch.zeros(1, 6), SAID, "latent"),
    "other styles": (torch.zeros(5, 6), SAID | {"space": "w+"}, "latent"),
    "no JSON": (GOOD, "{", "latent"),
    "deep JSON": (GOOD, "[" * 100_000, "latent"),
    "a list": (GOOD, "[]", "latent"),
    **{
        f"{field} {value!r:.20}": (GOOD, SAID | {field: value}, "latent")
        for field, values in {
            "space": ["v", 1, None],
            "variant": [1, "x" * 5000],
            "sha256": ["", 1, "g" * 16],
            "kind": ["x", "direction"],
            "error": [-1, "1"],
            "layers": [[-1], ["a"], [0] * 2000],
            "format": [2, "1", True],
        }.items()
        for value in values
    },
}


@pytest.mark.parametrize("what", WRONG)
def test_whatever_is_wrong_with_a_file_is_said_in_a_line(tmp_path: Path, what: str) -> None:
    path = write(tmp_path / "x.latent", *WRONG[what])
    with pytest.raises(UserError, match=r"x\.latent") as error:
        latents.load(path, GAN, MODEL)
    assert len(str(error.value)) < 500


def test_files_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.latent", torch.zeros(6), SAID)
    os.truncate(path, 2**40)  # takes no room
    with pytest.raises(UserError, match=r"at most 16,777,216"):
        latents.load(path, GAN, MODEL)


@given(st.binary(max_size=300), st.integers(0, 2**63))
def test_any_bytes_are_a_line(place: Path, noise: bytes, length: int) -> None:
    whole = save({"latent": GOOD}, {"gancli-latent": json.dumps(SAID)})
    path = place.with_name("x.latent")
    for data in (noise, struct.pack("<Q", length) + noise, whole[: length % len(whole)] + noise):
        if len(data) == len(whole):  # its header is whole, so it is a latent of other numbers
            continue
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"x\.latent"):
            latents.load(path, GAN, MODEL)


def test_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.latent")
    for name in ("pipe", "none"):
        with pytest.raises(UserError, match=rf"{name}\.latent"):
            latents.load(tmp_path / f"{name}.latent", GAN, MODEL)


def test_that_it_was_found_for_another_checkpoint_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latents.save(tmp_path / "x.latent", GOOD, ABOUT)
    latents.load(tmp_path / "x.latent", GAN, MODEL)
    assert capsys.readouterr().err == ""
    latents.load(tmp_path / "x.latent", GAN, replace(MODEL, fingerprint="f" * 16))
    assert "for another checkpoint (0123456789abcdef)" in capsys.readouterr().err


def test_seeds_and_latents_in_a_list() -> None:
    assert parse_stops("0-2, a/b.latent,7", "--mix") == (0, 1, 2, Path("a/b.latent"), 7)
    for text in ("", "x", "1,,2", "a.png"):
        with pytest.raises(UserError, match="--mix"):
            parse_stops(text, "--mix")


# ------------------------------------------------------------------------------------------------ the commands


@pytest.fixture
def model(run: Path) -> Model:
    return find_model(str(run))


@pytest.mark.parametrize("space", SHAPES)
def test_every_command_takes_it_as_a_seeds_latent(cli: Cli, run: Path, model: Model, space: Any) -> None:
    """The latents of seeds 3 and 4, as files, give their images."""
    gan: Any = load_model(model)
    for seed in (3, 4):
        z = latent_of(gan, seed, None)
        with torch.no_grad():
            values = {"z": z[0], "w": gan.styles(z)[0, :1], "w+": gan.styles(z)[0]}[space]
        latents.save(Path(f"{seed}.latent"), values, SavedAbout(space, "bands", model.fingerprint))
    walk = ("--frames", 3, "--strip", "--out", "a.png")
    for given_stops in (("--seeds", 3, "4.latent"), ("3.latent", "4.latent"), ("--images", "3.latent", "4.latent")):
        assert cli("interpolate", run, *given_stops, *walk).code == 0
        found = Path("a.png").read_bytes()
        assert cli("interpolate", run, "--seeds", "3,4", "--frames", 3, "--strip", "--out", "b.png").code == 0
        assert pixels(found) == pixels(Path("b.png").read_bytes())
    assert cli("sample", run, "--mix", "3.latent", "4.latent,5", "--out", "a.png").code == 0
    assert cli("sample", run, "--mix", "3", "4,5", "--out", "b.png").code == 0
    assert pixels(Path("a.png").read_bytes()) == pixels(Path("b.png").read_bytes())
    assert cli("sample", run, "--near", "3.latent", "-n", 1, "--spread", 0, "--out", "a.png").code == 0
    assert cli("sample", run, "--seeds", 3, "--out", "b.png").code == 0
    assert pixels(Path("a.png").read_bytes()) == pixels(Path("b.png").read_bytes())
    asked = cli("interpolate", run, "--seeds", 3, "4.latent", "--space", "z", *walk)
    assert asked.code == (0 if space == "z" else 2)
    assert space == "z" or "there is no z of it" in asked.err


def pixels(png: bytes) -> bytes:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return image.tobytes()


def test_images_of_one_name_get_files_of_their_own() -> None:
    paths = [Path(name) for name in ("a/x.png", "b/x.png", "x.jpg", "y.png", "x-2.png")]
    names = [place.name for place in stops._places(Path("out/walk.gif"), paths)]
    assert names == ["walk-x.latent", "walk-x-2.latent", "walk-x-3.latent", "walk-y.latent", "walk-x-2-2.latent"]
    assert stops._places(Path("frames"), paths[:1]) == [Path("frames/x.latent")]
