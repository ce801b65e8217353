"""Generators of other people: what is imported draws what the authors' code drew."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.checkpoints import checkpoint
from gancli.checkpoints.find import Model
from gancli.checkpoints.importers.convert import convert
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.load import load_model
from tests.conftest import Cli
from tests.parity import fixture


def loaded(file: Path, folder: Path, asked: Asked = Asked("x")) -> Any:  # noqa: B008
    out = convert(file, folder / "out.safetensors", asked)
    return load_model(Model(out, checkpoint.describe(out), ""))


def test_dcgan(tmp_path: Path) -> None:
    given = fixture("dcgan-examples.netG.pth")
    gan = loaded(given.file, tmp_path)
    with torch.no_grad():
        found = gan.generate(torch.from_numpy(given.arrays["in_z"]).flatten(1)).numpy()
    assert given.off("out_eval", found) <= given.limit("out_eval")


def tutorial(labels: int, *, dropout: bool, bias: bool = False) -> torch.nn.Sequential:
    """A DCGAN as tutorials write it, of 32 pixels, with 6 + labels inputs."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for i, (before, after) in enumerate([(6 + labels, 12), (12, 10), (10, 5)]):
        stride, padding = (2, 1) if i else (1, 0)
        layers += [torch.nn.ConvTranspose2d(before, after, 4, stride, padding, bias=bias), torch.nn.BatchNorm2d(after)]
        layers += [torch.nn.ReLU(), *([torch.nn.Dropout(0.3)] if dropout and i else [])]
    net = torch.nn.Sequential(*layers, torch.nn.ConvTranspose2d(5, 3, 4, 2, 1, bias=bias), torch.nn.Tanh())
    net.train()(torch.randn(64, 6 + labels, 1, 1) * 2 + 1)  # so that its running statistics say something
    return net.eval()


def test_a_dropout_shifts_the_names_and_labels_follow_the_noise(tmp_path: Path, cli: Cli) -> None:
    for dropout, bias, classes in ((False, True, ()), (True, False, ("a", "b", "c"))):
        net = tutorial(len(classes), dropout=dropout, bias=bias)
        state = {f"module.main.{name}": tensor for name, tensor in net.state_dict().items()}
        torch.save({"netG_state_dict": state, "epoch": 3}, tmp_path / "weights.tar")
        gan = loaded(tmp_path / "weights.tar", tmp_path, Asked("x", classes=classes))
        z = gan.prior(4)
        assert z.shape == (4, 6 + len(classes))
        with torch.no_grad():
            torch.testing.assert_close(gan.generate(z), net(z[:, :, None, None]))
    assert cli("import", "weights.tar", "--as", "abc", "--classes", "a,b,c").code == 0
    assert cli("sample", "abc", "-n", "4", "--class", "b", "--out", "b.png").code == 0


def test_batches_do_not_matter(tmp_path: Path) -> None:
    """Their running statistics are used, not those of a batch."""
    gan = loaded(fixture("dcgan-examples.netG.pth").file, tmp_path)
    with torch.no_grad():
        z = gan.prior(4)
        together, alone = gan.generate(z).numpy(), np.concatenate([gan.generate(row[None]).numpy() for row in z])
    assert np.abs(together - alone).max() < 1e-5
