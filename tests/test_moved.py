"""A plug-in that imports from where modules stood before is told where they stand now."""

import importlib
from pathlib import Path

import pytest

from gancli.errors import UserError
from gancli.gan import GAN
from gancli.plugins import moved
from tests.conftest import Cli

NEW = '''"""Mine: You 2026, "A margin for LSGAN"."""

from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.hparams import hparam
from gancli.ops import losses


class Mine(NoiseToImage[NoiseHParams]):
    """Nothing of its own."""

    hparams = NoiseHParams
    adversarial = losses.LEAST_SQUARES
'''
OLD = NEW.replace("gancli.families.noise", "gancli.variants._noise").replace("gancli.ops import", "gancli import")
DONE = "gancli.variants._noise is now gancli.families.noise, gancli.losses is now gancli.ops.losses"


@pytest.mark.parametrize("command", [("train",), ("train", "--help"), ("bench",)], ids=" ".join)
def test_an_old_path_gets_one_line_with_the_new_one(cli: Cli, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "mine.py").write_text(OLD)
    result = cli(command[0], "./mine.py", *command[1:])
    assert (result.code, result.out) == (2, "")
    assert result.err == f"gancli: mine.py imports modules or names that have moved: {DONE}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_with_the_new_paths_it_trains(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(NEW)
    assert cli("train", "./mine.py", "--dry-run").code == 0
    assert "--z-dim" in cli("train", "./mine.py", "--help").out


@pytest.mark.parametrize(
    "line",
    [
        "import gancli.losses",
        "from gancli.losses import LEAST_SQUARES",
        "from gancli.data.spec import Batch",
        "from gancli.nets.layers import BatchNorm2d",
        "from gancli.data.sources import Request",
        "from gancli.gan import GAN, Styled",
        "def later():\n    from gancli.data.images import Images",
    ],
)
def test_every_form_of_import_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "mine.py").write_text(line)
    with pytest.raises(ValueError, match="is now gancli"):
        moved.checked(tmp_path / "mine.py")


@pytest.mark.parametrize(
    "line",
    [
        "from gancli.data.spec import DataSpec",
        "from gancli.data.feed import Feed",
        "from gancli.gan import GAN, Turn",
        "from gancli.nets.layers import norms",
        "from . import losses",
        "import torch",
        "this is not Python",
    ],
)
def test_what_stayed_passes(tmp_path: Path, line: str) -> None:
    (tmp_path / "mine.py").write_text(line)
    assert moved.checked(tmp_path / "mine.py") == tmp_path / "mine.py"


@pytest.mark.parametrize("new", [*moved.MODULES.values(), *moved.NAMES.values()])
def test_the_new_paths_are_there(new: str) -> None:
    package, _, name = new.rpartition(".")
    assert hasattr(importlib.import_module(package), name) or importlib.import_module(new)


@pytest.mark.parametrize("old", moved.MODULES)
def test_the_old_paths_are_not(old: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(old)


def test_a_hook_with_its_old_name_is_one_line_with_the_new_one() -> None:
    with pytest.raises(UserError, match="suited is now called preset"):
        type("Mine", (GAN,), {"suited": classmethod(lambda cls, spec: {})})
