"""Exported models: other programs get the same images from them."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from gancli import registry
from gancli.capabilities import Samples
from gancli.checkpoints import checkpoint
from gancli.checkpoints.about import About
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from gancli.data.spec import DataSpec
from tests.checkpoints.renditions import Level, ResNet, UNet
from tests.conftest import Cli
from tests.parity import fixture

# torch 2.11's exporter warns of what it does itself: as errors these would end it
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")


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
        (["--to", "x.bin"], ".onnx, .safetensors, .pth"),
        (["--to", "x.pth"], "no network of the CycleGAN repository"),
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


def served(gan: Any, name: str) -> Any:
    """Save a model, whose weights are far from their beginning, as a file of its own."""
    torch.manual_seed(0)
    for parameter in gan.parameters():
        torch.nn.init.normal_(parameter, 0.2 if parameter.dim() == 1 else 0.0, 0.1)
    about = About(name, vars(gan.hp), dataclasses.asdict(gan.spec), {"step": 0, "images": 0, "total": 0}, {}, {}, "")
    checkpoint.save(Path(f"{name}.safetensors"), about, gan, {}, EMA(gan))
    return load_model(find_model(f"{name}.safetensors"))


BACK: dict[str, tuple[dict[str, Any], Callable[[], torch.nn.Module]]] = {  # with the authors' networks
    "cyclegan": ({"width": 4, "blocks": 2}, lambda: ResNet(4, 2)),
    "cut": ({"width": 4, "blocks": 1, "antialias": True}, lambda: ResNet(4, 1, cut=True)),
    "pix2pix": ({"width": 4}, lambda: UNet(4, 7)),
    "unet-translator": ({"width": 4}, lambda: biased(UNet(4, 7))),
    "resnet-translator": ({"width": 4, "blocks": 2}, lambda: affine(ResNet(4, 2))),
}


def affine(net: torch.nn.Module) -> torch.nn.Module:
    """Give a tutorial's instance norms weights."""
    for name, norm in list(net.named_modules()):
        if isinstance(norm, torch.nn.InstanceNorm2d):
            net.set_submodule(name, torch.nn.InstanceNorm2d(norm.num_features, affine=True))
    return net


def biased(net: Any) -> torch.nn.Module:
    """Give the convolutions that no norm follows a bias."""
    level, found = net.model, []
    while level is not None:
        found.append(level)
        level = next((layer for layer in level.model if isinstance(layer, Level)), None)
    for layers in (found[0].model, found[-1].model):
        convolution = next(layer for layer in layers if isinstance(layer, torch.nn.Conv2d))
        convolution.bias = torch.nn.Parameter(torch.zeros(convolution.out_channels))
    return net


@pytest.mark.parametrize("variant", BACK)
def test_the_authors_code_reads_the_pth_and_so_does_import(variant: str, cli: Cli) -> None:
    """Strictly, with all tensors that it expects; it gives the same images, and so does the imported model."""
    options, authors = BACK[variant]
    kind = registry.load(variant)
    side = 32 if "unet" not in variant and variant != "pix2pix" else 128
    gan = served(kind(kind.hparams(**options), DataSpec(3, side, side, domains=("horse", "zebra"))), variant)
    other = ["--direction", gan.directions[-1]]
    done = cli("export", f"{variant}.safetensors", "--to", "horse2zebra.pth", *other, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["difference"] < 1e-5
    net, state = authors(), torch.load("horse2zebra.pth", weights_only=True)
    net.load_state_dict(state)
    x = torch.rand(1, 3, side, side) * 2 - 1
    with torch.no_grad():
        expected = gan.translate(x, gan.directions[-1])
        assert (net(x) - expected).abs().max() < 1e-5 < expected.std()
    assert cli("import", "horse2zebra.pth").code == 0
    again: Any = load_model(find_model("horse2zebra"))
    with torch.no_grad():
        assert (again.translate(x, "AB") - expected).abs().max() < 1e-5
    assert cli("export", "horse2zebra", "--to", "twice.pth").code == 0
    twice = torch.load("twice.pth", weights_only=True)
    assert twice.keys() == state.keys()
    assert all(torch.equal(twice[name], tensor) for name, tensor in state.items())


def test_a_network_that_the_authors_do_not_have_is_no_pth(cli: Cli) -> None:
    kind: Any = registry.load("cyclegan")
    served(kind(kind.hparams(width=4, blocks=1, down=1), DataSpec(3, 16, 16)), "cyclegan")
    done = cli("export", "cyclegan.safetensors", "--to", "x.pth")
    assert (done.code, "halves images 2 times" in done.err) == (2, True), done.err
    assert "train with --down 2, as --preset paper does, or give --to FILE.safetensors" in done.err
    assert not Path("x.pth").exists()
