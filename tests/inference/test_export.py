"""Exported models: other programs get the same images from them."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from gancli.capabilities import Samples
from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from tests.conftest import Cli
from tests.parity import fixture


def test_onnx_gives_the_same_images_for_any_batch(cli: Cli) -> None:
    assert cli("import", str(fixture("dcgan-examples.netG.pth").file), "--as", "small").code == 0
    done = cli("export", "small", "--to", "small.onnx", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["difference"] < 1e-4
    gan = load_model(find_model("small"))
    assert isinstance(gan, Samples)
    session = onnxruntime.InferenceSession("small.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 5):
        z = gan.prior(count)
        (found,) = session.run(None, {"z": z.numpy()})
        with torch.no_grad():
            assert np.abs(found - gan.generate(z).numpy()).max() < 1e-4
    assert session.get_modelmeta().custom_metadata_map["gancli.variant"] == "dcgan-tutorial"


def test_the_best_checkpoint_can_be_chosen_and_the_difference_is_the_same_again(cli: Cli) -> None:
    assert cli("import", str(fixture("dcgan-examples.netG.pth").file), "--as", "small").code == 0
    done = cli("export", "small", "--to", "best.safetensors", "--best")
    assert (done.code, "best" in done.err) == (2, True), done.err  # an imported model has none
    first, again = (cli("export", "small", "--to", name, "--json") for name in ("A.ONNX", "A.ONNX"))
    assert first.out == again.out


def test_safetensors_are_a_model_of_their_own(cli: Cli) -> None:
    assert cli("import", str(fixture("srvgg-x4.pth").file), "--as", "x4").code == 0
    assert cli("export", "x4", "--to", "alone.safetensors").code == 0
    Path("runs").rename("away")
    done = cli("info", "alone.safetensors", "--json")
    assert (done.code, json.loads(done.out)["variant"]) == (0, "realesrgan-compact")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "x.bin"], ".onnx or .safetensors"),
        (["--to", "x.onnx", "--direction", "zebra"], "--direction zebra"),
        (["--to", "x.safetensors", "--direction", "AB"], "leave it out"),
    ],
)
def test_what_cannot_be_exported_is_one_line(options: list[str], said: str, cli: Cli) -> None:
    assert cli("import", str(fixture("srvgg-x4.pth").file), "--as", "x4").code == 0
    done = cli("export", "x4", *options)
    assert (done.code, len(done.err.splitlines()), said in done.err) == (2, 1, True), done.err
    assert not Path(options[1]).exists()


def test_without_the_packages_one_line_says_which_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("import", str(fixture("srvgg-x4.pth").file), "--as", "x4").code == 0
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = cli("export", "x4", "--to", "x.onnx")
    assert (done.code, "pip install onnx onnxruntime" in done.err) == (2, True), done.err
