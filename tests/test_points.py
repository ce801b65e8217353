"""Points through the command line: trained, scored, plotted, sampled and walked through."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Cli

STEPS = ("--steps", 6, "--batch", 16, "--width", 8, "--out", "run", "--device", "cpu")


def train(cli: Cli, *options: object) -> dict:
    result = cli("train", "wgan-gp", "--data", "ring8", *STEPS, "--json", *options)
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_points_are_plotted_and_scored(cli: Cli) -> None:
    found = train(cli)
    assert set(found["metrics"]) == {"modes_hit", "share_within_3_sigma"}
    for path in ("run/reals.png", "run/samples/000000096.png"):
        with Image.open(path) as picture:
            assert picture.width == picture.height == 600
    cli("sample", "run", "-n", 5, "--out", "x.npz")
    assert np.load("x.npz")["points"].shape == (5, 2)
    assert cli("sample", "run", "-n", 5, "--out", "x.png").code == 0
    assert cli("interpolate", "run", "--frames", 8, "--out", "w.png").code == 0
    assert "a walk among points" in cli("interpolate", "run", "--frames", 8, "--out", "w.gif").err
    assert "drawn together" in cli("sample", "run", "-n", 5, "--out", "folder").err


@pytest.mark.parametrize(("options", "lr", "gp"), [((), 1e-3, 0.1), (("--lr", 1e-4, "--gp-weight", 10), 1e-4, 10)])
def test_points_have_settings_of_their_own_and_what_is_named_comes_first(
    cli: Cli, options: tuple[object, ...], lr: float, gp: float
) -> None:
    train(cli, *options)
    with open("run/run.json", encoding="utf-8") as file:
        hparams = json.load(file)["hparams"]
    assert (hparams["lr"], hparams["gp_weight"], hparams["batch"]) == (lr, gp, 16)
