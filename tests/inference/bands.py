"""What tests of styles share: a model whose every answer is known, in memory and as a checkpoint."""

from pathlib import Path
from typing import Any

from gancli.checkpoints.ema import pruned
from gancli.checkpoints.trust import trust
from gancli.data.spec import DataSpec
from gancli.system.seeds import seed_all
from tests.conftest import Cli, Once, noise_images
from tests.inference.tiny_styled import HParams, TinyStyled

PLUG_IN = Path(__file__).parent / "tiny_styled.py"
SPEC = DataSpec(3, 8, 8)


def bands(seed: int = 0) -> Any:
    seed_all("init", seed)
    return pruned(TinyStyled(HParams(), SPEC)).eval().requires_grad_(False)


def trained(cli: Cli, once: Once) -> Path:
    """The run of a step, which several test processes share, each with what it trusts of its own."""
    run = once("bands", lambda folder: train(cli, folder)) / "run"
    trust(str(PLUG_IN))
    return run


def train(cli: Cli, folder: Path, *options: object, data: Path | None = None) -> Path:
    """Train it for a step, in a folder."""
    data = data or noise_images(folder / "data")
    done = cli("train", PLUG_IN, "--data", data, "--steps", 1, "--metrics", "none", "--out", folder / "run", *options)
    assert done.code == 0, done.err
    return folder / "run"
