"""The history of fakes over several processes: one pool, which sees the whole batch."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import forked
from tests.conftest import Cli, noise_images

# Rounding alone takes weights less far apart than half a step of Adam, of the six; another pool takes them further
NEAR = 2e-4 / 2


def final(folder: str) -> dict[str, torch.Tensor]:
    return load_file(max(Path(folder, "checkpoints").glob("*.safetensors")))


@pytest.mark.processes
def test_two_processes_keep_the_pool_that_one_keeps(cli: Cli, tmp_path: Path) -> None:
    for domain in "AB":
        noise_images(tmp_path / "data" / domain, 8, (16, 16))
    options = ["cyclegan", "--data", "data", "--width", "4", "--blocks", "1", "--batch", "4", "--pool", "6"]
    options += ["--steps", "6", "--decay", "0", "--precision", "fp32", "--device", "cpu"]
    done = forked.together(2, "train", *options, "--out", "two")
    assert done.returncode == 0, done.stderr[-2000:]
    assert cli("train", *options, "--out", "one").code == 0
    one, two = final("one"), final("two")
    assert one.keys() == two.keys()
    assert int(one["gan.pool_a.count"]) == int(two["gan.pool_a.count"]) == 6
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=NEAR, msg=name)
    control = ["train", *options, "--pool", "0", "--out", "none"]
    assert cli(*control).code == 0
    assert not torch.allclose(final("none")["gan.DA.net.0.weight"], one["gan.DA.net.0.weight"], atol=NEAR)
