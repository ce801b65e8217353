"""Checkpoints of before, whole and stripped: --truncation takes the discriminator that is there, or none."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.find import Model
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from tests.conftest import Cli
from tests.inference.truncated import chosen, model_of
from tests.variants.small import make, steps


@pytest.fixture
def of_before(tmp_path: Path) -> tuple[Path, Any, EMA]:
    """A checkpoint as it was written when D was not served, and what it was written from."""
    gan = make("dcgan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(gan), "judges", ())
        players, ema = gan.players(), EMA(gan)
        steps(gan, players, ema, 3)
        file = tmp_path / "before.safetensors"
        about = dataclasses.replace(model_of(gan, "", name="dcgan").about, clock={"step": 3, "images": 24, "total": 99})
        checkpoint.save(file, about, gan, players, ema)
    assert not any(key.startswith("D.") for key in ema.gan.state_dict())
    return file, gan, ema


def opened(file: Path) -> Model:
    return Model(file, checkpoint.describe(file), checkpoint.fingerprint(file))


def test_a_whole_checkpoint_of_before_rates_with_d_as_trained_and_resumes(
    of_before: tuple[Path, Any, EMA],
) -> None:
    file, before, _ = of_before
    gan: Any = load_model(opened(file))
    assert all(torch.equal(a, b) for a, b in zip(gan.D.state_dict().values(), before.D.state_dict().values()))
    assert len(chosen((gan, opened(file)), 0.5, [1])) == 1
    resumed = make("dcgan")
    players, ema = resumed.players(), EMA(resumed)
    assert checkpoint.restore(file, resumed, players, ema).step == 3
    its: Any = ema.gan
    assert all(torch.equal(a, b) for a, b in zip(its.D.state_dict().values(), before.D.state_dict().values()))


def test_a_stripped_checkpoint_of_before_samples_but_does_not_truncate(
    of_before: tuple[Path, Any, EMA], cli: Cli
) -> None:
    file, *_ = of_before
    assert "samples that D rates highest" in cli("info", file).out
    checkpoint.strip(file)
    assert cli("sample", file, "-n", 2, "--out", "x.png").code == 0
    refused = cli("sample", file, "--truncation", 0.7, "--out", "y.png")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert "holds no discriminator" in refused.err
    assert "gancli train --resume" in refused.err
    assert not Path("y.png").exists()
    assert "none: the checkpoint holds no discriminator" in cli("info", file).out
    assert json.loads(cli("info", file, "--json").out)["truncation"] is None


def test_a_stripped_checkpoint_of_now_truncates(tmp_path: Path) -> None:
    gan = make("dcgan")
    players, ema = gan.players(), EMA(gan)
    clock = steps(gan, players, ema, 2)
    file = tmp_path / "x.safetensors"
    about = dataclasses.replace(model_of(gan, "", name="dcgan").about, clock=dataclasses.asdict(clock))
    checkpoint.save(file, about, gan, players, ema)
    whole = chosen((load_model(opened(file)), opened(file)), 0.3, range(5))
    checkpoint.strip(file)
    assert torch.equal(whole, chosen((load_model(opened(file)), opened(file)), 0.3, range(5)))


def test_part_of_a_judge_is_no_judge(of_before: tuple[Path, Any, EMA], monkeypatch: pytest.MonkeyPatch) -> None:
    file, gan, _ = of_before
    read = checkpoint._read

    def some(path: Path, part: str) -> dict[str, Tensor]:
        found = read(path, part)
        one = next(key for key in gan.state_dict() if key.startswith("D."))
        return found | {one: gan.state_dict()[one]} if part == "ema" else found

    monkeypatch.setattr(checkpoint, "_read", some)
    with pytest.raises(UserError, match="does not match its own description"):
        load_model(opened(file))
