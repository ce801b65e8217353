"""Real-ESRGAN in ncnn's two files: the same numbers as in its .pth, and nothing but one line for damaged ones."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.checkpoints.importers.reading.state_dict import read_state_dict
from gancli.errors import UserError
from gancli.nets.enlargers.rrdb import RRDBNet
from gancli.nets.enlargers.srvgg import CompactNet
from gancli.system.untrusted.ncnn import HALF, MAGIC


def write(folder: Path, net: torch.nn.Module, *, half: bool = True) -> dict[str, torch.Tensor]:
    """Write a network as ncnn's converter does, with numbers that half a word can hold; return these."""
    net.half().float()
    state, lines, content = net.state_dict(), [MAGIC, "0 0", "Input in 0 1 data"], b""
    for i, (name, layer) in enumerate(net.named_modules()):
        if isinstance(layer, torch.nn.Conv2d):
            outputs, count = layer.out_channels, layer.weight.numel()
            lines.append(f"Convolution Conv_{i} 1 1 a{i} b{i} 0={outputs} 1=3 4=1 5=1 6={count} -23310=1,2.0e-01")
            numbers = state[f"{name}.weight"].numpy().astype("<f2" if half else "<f4").tobytes()
            content += struct.pack("<I", HALF if half else 0) + numbers + b"\0" * (-len(numbers) % 4)
            content += state[f"{name}.bias"].numpy().astype("<f4").tobytes()
        elif isinstance(layer, torch.nn.PReLU):
            lines.append(f"PReLU PRelu_{i} 1 1 a{i} b{i} 0={layer.num_parameters}")
            content += state[f"{name}.weight"].numpy().astype("<f4").tobytes()
    (folder / "net.param").write_text("\n".join([*lines, "PixelShuffle last 1 1 x out 0=4"]) + "\n")
    (folder / "net.bin").write_bytes(content)
    return state


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("kind", ["dense", "compact"])
def test_the_tensors_are_those_of_the_pth(kind: str, half: bool, tmp_path: Path) -> None:
    net = RRDBNet(3, 6, 3, 2) if kind == "dense" else CompactNet(3, 5, 3, 4)  # odd numbers of values need padding
    expected = write(tmp_path, net, half=half)
    for name in ("net.bin", "net.param"):
        found = read_state_dict(tmp_path / name)
        assert {name: t.shape for name, t in found.items()} == {name: t.shape for name, t in expected.items()}
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    "harm",
    [
        lambda text, content: (text, content[:-1]),
        lambda text, content: (text, content + b"\0"),
        lambda text, content: (text.replace("0=6 ", "0=600000000 ", 1), content),
        lambda text, content: (text.replace("0=6 ", "", 1), content),
        lambda text, content: (text.replace("0=6 ", "0=0 ", 1), content),
        lambda text, content: (text.replace("Convolution", "Program"), content),
        lambda text, content: (text.replace(MAGIC, "1"), content),
        lambda text, content: (text, b"\1\2\3\4" + content[4:]),
        lambda text, content: ("", content),
    ],
)
def test_damaged_files_are_one_line(harm: object, tmp_path: Path) -> None:
    write(tmp_path, RRDBNet(3, 6, 3, 1))
    text, content = harm((tmp_path / "net.param").read_text(), (tmp_path / "net.bin").read_bytes())  # pyright: ignore
    (tmp_path / "net.param").write_text(text)
    (tmp_path / "net.bin").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_state_dict(tmp_path / "net.bin")
    assert "\n" not in str(error.value)


def test_a_pytorch_bin_is_no_ncnn_file(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    assert np.array_equal(read_state_dict(tmp_path / "pytorch_model.bin")["a.weight"], [1, 1])
