"""Code in files: what was hashed is what runs, and only what the user has named."""

import importlib.util
import json
import marshal
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import gancli
from gancli import registry
from gancli.errors import UserError
from gancli.system.untrusted import trusted_code
from tests import children
from tests.cli.strangers import PLUGIN
from tests.conftest import Cli, noise_images

MINE = PLUGIN.replace('Path("ran").write_text("x")\n', "").replace("from pathlib import Path\n", "")
EVIL = "open('ran', 'w').close()\n"
SMALL = ("--batch", 4, "--width", 4, "--z-dim", 4, "--metrics", "none", "--quiet")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who trusts nothing yet; gives where the marks will be."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "gancli" / "trusted"


@pytest.fixture(scope="module")
def run_of_mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mine.py, and a run of it."""
    from gancli.cli.main import run

    folder = tmp_path_factory.mktemp("mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        Path("mine.py").write_text(MINE)
        words = ("train", "./mine.py", "--data", noise_images(Path("data")), "--steps", 1, *SMALL, "--out", "x")
        assert run([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def trained(cli: Cli, config: Path, run_of_mine: Path) -> Path:
    """A run of a file of the user's, mine.py, which is trusted."""
    shutil.copytree(run_of_mine / "x", "x")
    shutil.copy(run_of_mine / "mine.py", ".")
    assert cli("trust", "mine.py").code == 0
    return Path("x")


def plant(source: Path, code: str, *, unchecked: bool = False) -> None:
    """Put bytecode of other code beside a file, as what Python would take for the file's own."""
    place = Path(importlib.util.cache_from_source(str(source)))
    place.parent.mkdir(exist_ok=True)
    status = source.stat()
    times = b"".join(int(n).to_bytes(4, "little") for n in (status.st_mtime, status.st_size))
    head = (1).to_bytes(4, "little") + bytes(8) if unchecked else bytes(4) + times
    place.write_bytes(importlib.util.MAGIC_NUMBER + head + marshal.dumps(compile(code, str(source), "exec")))


# --- the bytes that run


@pytest.mark.parametrize("unchecked", [False, True])
def test_planted_bytecode_does_not_run(cli: Cli, trained: Path, unchecked: bool) -> None:
    plant(Path("mine.py"), EVIL + MINE, unchecked=unchecked)
    assert cli("sample", trained, "-n", 1).code == 0
    assert not Path("ran").exists()


def test_no_bytecode_is_written(cli: Cli, trained: Path) -> None:
    assert cli("sample", trained, "-n", 1).code == 0
    assert not Path("__pycache__").exists()


def test_a_file_that_is_replaced_between_check_and_run_does_not_run(
    cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = registry.load

    def replacing(name: str) -> type:
        Path("mine.py").write_text(EVIL + MINE)
        return load(name)

    monkeypatch.setattr(registry, "load", replacing)
    assert cli("sample", trained, "-n", 1).code == 0
    assert not Path("ran").exists()


def test_what_lies_beside_a_file_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(EVIL)
    (tmp_path / "mine.py").write_text(MINE + "try:\n    import helper\nexcept ImportError:\n    pass\n")
    command = [sys.executable, "-m", "gancli", "train", "./mine.py", "--help"]
    done = children.run(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_file_stands_in_for_no_module(cli: Cli, config: Path, pictures: Path) -> None:
    import torch

    Path("torch.py").write_text(MINE)
    assert cli("train", "./torch.py", "--data", pictures, "--dry-run", *SMALL).code == 0
    assert sys.modules["torch"] is torch


# --- before anything of it is evaluated


def commands(model: Path) -> list[tuple[object, ...]]:
    noise_images(Path("data"))
    return [
        ("info", model),
        ("info", model, "--json"),
        ("check", model),
        ("sample", model),
        ("sample", "--like", "drawn.png"),
        ("interpolate", model),
        ("translate", model, "data"),
        ("classify", model, "data"),
        ("eval", model, "--data", "data", "--metrics", "psnr"),
        ("eval", model, "--data", "data", "--metrics", "fid", "--extractor", "local", "-n", 4),
    ]


def test_nothing_of_a_strangers_file_is_evaluated(
    cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even by what reads the options for help: the checkpoint's hash is that of the file, as a stranger's is."""
    Path("mine.py").write_text(EVIL + MINE)
    data = noise_images(Path("data"))
    assert cli("train", "./mine.py", "--data", data, "--steps", 1, *SMALL, "--out", "y").code == 0
    assert cli("sample", "y", "-n", 1, "--out", "drawn.png").code == 0
    Path("ran").unlink()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another user"))
    for words in commands(Path("y")):
        result = cli(*words)
        assert not Path("ran").exists(), words
        if words[0] != "info":
            assert result.code == 2
            assert "if you trust that file, run gancli trust mine.py" in result.err + result.out


def test_only_one_place_runs_what_a_checkpoint_names() -> None:
    """All others ask load.kind_of, which asks for trust first."""
    root = Path(gancli.__file__).parent
    found = [p.name for p in root.rglob("*.py") if re.search(r"registry\.load\([\w.]*about", p.read_text())]
    assert found == ["load.py"]


# --- marks


def test_marks_are_the_users_alone(trained: Path, config: Path) -> None:
    assert [stat_of(path) for path in (config.parent, config)] == [0o700, 0o700]
    marks = list(config.iterdir())
    assert [path.name for path in marks] == [trusted_code.read(Path("mine.py")).sha256]
    assert stat_of(marks[0]) == 0o600


def stat_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_marks_in_the_cache_which_others_may_share_do_not_count(
    cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gancli.system import cache

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another user"))
    mark = cache.root() / "trusted" / trusted_code.read(Path("mine.py")).sha256
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    result = cli("sample", trained, "-n", 1)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "gancli trust mine.py" in result.err


SPOILT = {
    "a mark that others may write to": (lambda marks: next(marks.iterdir()).chmod(0o622), "others may write"),
    "a folder that others may write to": (lambda marks: marks.chmod(0o770), "others may write"),
    "a folder above it": (lambda marks: marks.parent.chmod(0o777), "others may write"),
    "a mark that is a link": (lambda marks: relink(next(marks.iterdir())), "is a link"),
    "another user's folder": (lambda marks: os.chown(marks, 12345, -1), "belongs to another user"),
    "another user's mark": (lambda marks: os.chown(next(marks.iterdir()), 12345, -1), "belongs to another user"),
}


def relink(mark: Path) -> None:
    mark.rename(mark.with_name("elsewhere"))
    mark.symlink_to("elsewhere")


@pytest.mark.parametrize("what", SPOILT)
def test_marks_that_somebody_else_could_have_made_do_not_count(
    cli: Cli, trained: Path, config: Path, what: str
) -> None:
    if "user's" in what and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    spoil, says = SPOILT[what]
    spoil(config)
    for words in (("sample", trained, "-n", 1), ("trust",)):
        result = cli(*words)
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert says in result.err


def test_trust_is_given_listed_and_withdrawn(cli: Cli, trained: Path, config: Path) -> None:
    sample = ("sample", trained, "-n", 1)
    name = trusted_code.read(Path("mine.py")).sha256
    assert cli("trust").out == f"{name[:16]}  {Path('mine.py').absolute()}\n"
    assert json.loads(cli("trust", "--json").out) == [{"sha256": name, "path": str(Path("mine.py").absolute())}]
    assert cli("trust", "--withdraw", "mine.py").code == 0
    assert (cli("trust").out, cli(*sample).code) == ("", 2)
    assert cli("trust", "mine.py").code == 0
    assert cli(*sample).code == 0
    assert cli("trust", "--withdraw", name[:8]).code == 0
    assert cli(*sample).code == 2


def test_all_versions_of_a_file_are_withdrawn(cli: Cli, trained: Path, config: Path) -> None:
    Path("mine.py").write_text(MINE + "# another\n")
    assert cli("trust", "mine.py").code == 0
    assert len(list(config.iterdir())) == 2
    Path("mine.py").unlink()
    assert cli("trust", "--withdraw", "mine.py").code == 0
    assert not list(config.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere.py",), "No such file"),
        (("data",), "is not a Python file"),
        (("--withdraw", "nowhere.py"), "is not trusted"),
        (("--withdraw", "0000"), "is not trusted"),
        (("--withdraw",), "needs a file"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, config: Path, words: tuple[str, ...], says: str) -> None:
    result = cli("trust", *words)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert says in result.err
    assert not config.exists()


def test_training_goes_on_where_trust_cannot_be_remembered(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.py").write_text(MINE)
    Path("file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path("file").absolute()))
    spoken = [word for word in SMALL if word != "--quiet"]
    result = cli("train", "./mine.py", "--data", pictures, "--steps", 1, *spoken, "--out", "x")
    assert result.code == 0
    assert result.err.startswith("gancli: cannot record that you trust ./mine.py (File exists)")
    assert list(Path("x/checkpoints").iterdir())


def test_without_a_home_the_current_folder_does_not_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: Path("~/.config/gancli"))
    with pytest.raises(UserError, match="set HOME"):
        trusted_code.folder()
