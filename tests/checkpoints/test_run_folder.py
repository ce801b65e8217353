"""A run's folder: what is not ours is never touched, and no link, pipe or device in it is followed."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gancli.checkpoints import checkpoint, find
from gancli.checkpoints.run_folder import Folder
from gancli.errors import UserError
from gancli.system import atomic
from gancli.training import loop
from tests.checkpoints.runs import command, refused, resumes, state
from tests.conftest import Cli
from tests.training.test_resuming import QUICK
from tests.training.test_saving import at_step

# --- which folder a name means


def test_a_folder_of_images_hides_no_run_and_no_published_model(cli: Cli, pictures: Path) -> None:
    """As ./faces and runs/faces, or CycleGAN's data set horse2zebra and the model of that name."""
    for name in ("faces", "horse2zebra", "only-images"):
        shutil.copytree(pictures, name)
    assert cli(*command(pictures, "runs/faces")).code == 0
    result = cli("sample", "faces", "-n", 1, "--out", "sample.png")
    assert result.code == 0, result.err
    assert find.only_published("horse2zebra") == "translate"
    refused(cli("sample", "only-images"), "only-images holds no checkpoint")
    Path("horse2zebra", "checkpoints").mkdir()
    refused(cli("sample", "horse2zebra"), "horse2zebra holds no checkpoint")


# --- what is not ours


def test_nothing_of_the_users_is_touched_where_a_run_is_made(cli: Cli, pictures: Path) -> None:
    mine = (".notes.2024.txt", ".gancli-tmp-1-beef", f"{atomic.PREFIX}12-deadbeef", "a.png", "deep/.a.1.b", ".x.1.json")
    for name in mine:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    assert cli(*command(pictures, ".")).code == 0
    assert cli(*command(pictures, ".", 6, "--resume")).code == 0
    assert [Path(name).read_text() for name in mine] == list(mine)


@pytest.mark.parametrize("name", ["curves.png", "reals.png", "metrics.jsonl", "samples/000000000.png", "samples/x.png"])
def test_what_stands_where_a_run_writes_is_not_overwritten(cli: Cli, pictures: Path, name: str) -> None:
    (Path("x") / name).parent.mkdir(parents=True)
    (Path("x") / name).write_text("mine")
    before = state()
    refused(cli(*command(pictures, "x")), f"x holds {name.split('/')[0]} but no run.json")
    assert state() == before


def test_a_folder_that_was_there_stays_and_those_made_for_nothing_go(cli: Cli, pictures: Path) -> None:
    Path("mine").mkdir()
    for out in ("mine", "a/b/c", "mine/d"):
        assert cli(*command(pictures, out), "--metrics", "nonsense").code == 2
    assert Path("mine").is_dir()
    assert not list(Path("mine").iterdir())
    assert not Path("a").exists()


def test_leftovers_go_from_a_run_and_from_nowhere_else(cli: Cli, run: Path) -> None:
    lost = [folder / f"{atomic.PREFIX}{2**22 + 1}-0123abcd" for folder in (run, run / "checkpoints", run / "samples")]
    alive, other = run / f"{atomic.PREFIX}{os.getppid()}-0123abcd", Path("other") / lost[0].name
    for folder in (*lost, alive, other):
        folder.mkdir(parents=True)
        (folder / "000000001.safetensors").write_text("half")
    assert resumes(cli).code == 0
    assert cli(*command("pictures", "other"), "--metrics", "nonsense").code == 2
    assert [folder.exists() for folder in (*lost, alive, other)] == [False, False, False, True, True]


def test_a_writer_that_fails_leaves_nothing_not_even_what_it_wrote_beside(tmp_path: Path) -> None:
    def fails() -> None:
        with atomic.replacing(tmp_path / "x.bin") as temporary:
            temporary.with_name(".tmpA1b2C3").write_text("a library's own temporary file")
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        fails()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_others_may_read_a_checkpoint_if_the_mask_lets_them(run: Path, cli: Cli) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (run / "run.json", *Folder(run).checkpoints())}
    mask = os.umask(0)
    os.umask(mask)
    assert modes == {0o666 & ~mask}


def test_what_only_has_the_name_of_a_checkpoint_is_not_removed(cli: Cli, run: Path) -> None:
    foreign = run / "checkpoints" / "000000001.safetensors"
    foreign.write_text("of somebody else")
    assert resumes(cli, steps=20).code == 0
    assert foreign.read_text() == "of somebody else"


def flip(path: Path) -> bytes:
    """Change a bit of the averaged weights."""
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    place = next(v for k, v in json.loads(data[8 : 8 + size]).items() if k.startswith("ema."))["data_offsets"][0]
    data[8 + size + place] ^= 1
    path.write_bytes(data)
    return bytes(data)


def test_stripping_does_not_make_a_damaged_checkpoint_look_whole(cli: Cli, run: Path) -> None:
    path = Folder(run).checkpoints()[0]
    damaged = flip(path)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.strip(path)
    assert path.read_bytes() == damaged
    result = resumes(cli)
    assert (result.code, "renamed to 000000008.safetensors.damaged" in result.out) == (0, True)
    assert path.with_name(f"{path.name}.damaged").read_bytes() == damaged


def test_what_was_set_aside_before_is_not_overwritten(cli: Cli, run: Path) -> None:
    newest = Folder(run).checkpoints()[-1]
    before = newest.with_name(f"{newest.name}.damaged")
    before.write_text("from before")
    damaged = flip(newest)
    assert resumes(cli).code == 0
    assert before.read_text() == "from before"
    assert before.with_name(f"{before.name}-2").read_bytes() == damaged


def test_checkpoints_are_ordered_by_number_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for images in (10**9, 999_999_999):
        Folder(tmp_path).checkpoint(images).touch()
    (tmp_path / "checkpoints" / "١٢٣٤٥٦٧٨٩.safetensors").touch()  # digits, but not ours
    assert [int(path.stem) for path in Folder(tmp_path).checkpoints()] == [999_999_999, 10**9]


def test_other_folders_with_a_number_at_the_end_are_no_runs(cli: Cli, pictures: Path) -> None:
    for name in ("gan-pictures-²", f"gan-pictures-{'9' * 200}"):
        (Path("runs") / name).mkdir(parents=True)
    assert cli("train", "gan", "--data", pictures, *QUICK, "--steps", 1).code == 0
    assert Path("runs/gan-pictures-1/run.json").is_file()


def test_a_link_to_nowhere_is_not_taken_for_a_free_name(cli: Cli, pictures: Path) -> None:
    Path("x").symlink_to("gone")
    refused(cli(*command(pictures, "x")), "--out x exists and is not a folder")
    assert not Path("runs").exists()


# --- links, pipes and devices


def linked(name: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / name).rename(Path("elsewhere"))
        (run / name).symlink_to(Path("elsewhere").absolute())

    return spoil


def piped(name: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return spoil


LED = {
    **{f"{name} is a link": linked(name) for name in ("checkpoints", "samples", "run.json", "metrics.jsonl")},
    **{f"{name} is a link": linked(name) for name in ("checkpoints/000000016.safetensors", "samples/000000000.png")},
    **{f"{name} is a pipe": piped(name) for name in ("run.json", "metrics.jsonl", "curves.png")},
    **{f"{name} is a pipe": piped(f"checkpoints/{name}") for name in ("000000099.safetensors", "best.safetensors")},
}


@pytest.mark.parametrize("what", LED)
def test_links_and_pipes_in_a_run_are_refused_by_all_who_read_it(cli: Cli, run: Path, what: str) -> None:
    LED[what](run)
    before = state()
    for words in (
        command("pictures", run, 9, "--resume"),
        command("pictures", run, 9, "--resume", "--dry-run"),
        command("pictures", run),
        ("sample", run, "--out", "out.png"),
        ("info", run),
        ("eval", run, "--data", "pictures", "--metrics", "fid", "--extractor", "local"),
    ):
        refused(cli(*words), f"{what}, but a f")
    assert state() == before


def test_the_folder_of_a_run_may_be_a_link_that_the_user_made(cli: Cli, run: Path) -> None:
    Path("latest").symlink_to(run)
    assert cli("sample", "latest", "--out", "out.png").code == 0
    assert cli(*command("pictures", "latest", 6, "--resume")).code == 0
    assert Folder(run).checkpoints()[-1].name == "000000024.safetensors"


def test_a_link_that_comes_while_training_leads_nowhere(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped() -> None:
        Path("x/checkpoints").rename("theirs")
        Path("x/checkpoints").symlink_to(Path("theirs").absolute())
        taken.update(state("theirs"))

    taken: dict[str, bytes] = {}
    monkeypatch.setattr(loop, "LAST_SECONDS", 0)
    at_step(monkeypatch, 5, swapped)
    result = cli(*command(pictures, "x", 8))
    assert (result.code, "x/checkpoints is a link" in result.err) == (2, True)
    assert state("theirs") == taken
