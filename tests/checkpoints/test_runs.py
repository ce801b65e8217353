"""A run's folder: what is not ours is never touched, what is damaged is refused in a line, and nothing gets lost."""

import json
import math
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gancli.checkpoints import checkpoint, ticks
from gancli.checkpoints.about import About
from gancli.checkpoints.run_folder import Folder
from gancli.errors import UserError
from gancli.images import curves
from gancli.system import atomic
from gancli.training import loop
from gancli.training.loop import Training
from tests.conftest import Cli, noise_images
from tests.training.test_resuming import QUICK, final
from tests.training.test_saving import at_step

SAVING = ("--save-every", 0.008, "--metrics", "none")  # every second step


def command(data: object, out: object, steps: int = 4, *more: object) -> tuple[object, ...]:
    return ("train", "gan", "--data", data, *QUICK, *SAVING, "--steps", steps, "--out", out, *more)


def state(folder: str | Path = ".") -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, and a run of four steps on them."""
    from gancli.cli import main

    folder = tmp_path_factory.mktemp("trained")
    words = command(noise_images(folder / "pictures"), folder / "x", 4, "--quiet")
    assert main.run([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run, x, in the current folder, with the images that it was trained on."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return Path("x")


def resumes(cli: Cli, data: object = "pictures", steps: int = 6) -> Any:
    return cli(*command(data, "x", steps, "--resume"))


def refused(result: Any, says: str) -> None:
    assert (result.code, result.out) == (2, ""), result
    assert says in result.err
    assert len(result.err.splitlines()) == 1


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


# --- run.json


DAMAGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nothing": lambda _: "",
    "cut": lambda about: json.dumps(about)[:-9],
    "a list": lambda _: "[]",
    "null": lambda _: "null",
    "deep": lambda _: "[" * 100_000,
    "no utf-8": lambda _: b"\xff\xfe\x00",
    "a number for a name": lambda about: about | {"variant": 7},
    "a list of hyperparameters": lambda about: about | {"hparams": []},
    "a seed in words": lambda about: about | {"seed": "0"},
    "half a seed": lambda about: about | {"seed": 0.5},
    "a precision of nothing": lambda about: about | {"precision": "fp3"},
    "no variant": lambda about: {k: v for k, v in about.items() if k != "variant"},
    "no batch": lambda about: about | {"hparams": {}},
    "a batch in words": lambda about: about | {"hparams": about["hparams"] | {"batch": "4"}},
    "digits without end": lambda about: json.dumps(about)[:-1] + f', "seed": {"9" * 5000}}}',
}


@pytest.mark.parametrize("what", [*DAMAGED, "gone"])
def test_a_damaged_run_is_neither_begun_anew_nor_lost(cli: Cli, run: Path, what: str) -> None:
    if what == "gone":
        (run / "run.json").unlink()
    else:
        made = DAMAGED[what](json.loads((run / "run.json").read_text()))
        text = json.dumps(made) if isinstance(made, dict) else made
        (run / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = state()
    for more in ((), ("--resume",), ("--resume", "--dry-run"), ("--resume", "--batch", "auto")):
        result = cli(*command("pictures", run, 6, *more))
        refused(result, "run.json")
        assert "restore it, or give another --out" in result.err
        assert "gancli sample x/checkpoints/000000016.safetensors" in result.err
    assert state() == before
    for words in (("sample", run, "--out", "out.png"), ("info", run)):
        assert cli(*words).code == 0


def test_checkpoints_that_training_cannot_use_are_not_trained_over(cli: Cli, run: Path) -> None:
    for path in Folder(run).checkpoints():
        checkpoint.strip(path)
    before = state()
    refused(resumes(cli), "--resume: no checkpoint in x can be resumed")
    assert state() == before


def test_a_run_without_a_checkpoint_begins_again(cli: Cli, run: Path) -> None:
    whole = final(run)
    shutil.rmtree(run / "checkpoints")
    assert cli(*command("pictures", "x", 4, "--resume")).code == 0
    assert final(run) == whole


@pytest.mark.parametrize("option", ["--kimg", "--epochs", "--steps", "--lr", "--save-every"])
def test_no_number_is_without_end(cli: Cli, pictures: Path, option: str) -> None:
    number = {"--steps": 10**30, "--kimg": "1e300"}.get(option, "inf")
    result = cli("train", "gan", "--data", pictures, *QUICK, "--out", "x", option, number)
    refused(result, f"{option} {float(number) if option != '--steps' else number} is not allowed")
    assert not Path("x").exists()


# --- the data


def changed_label() -> None:
    Path("pictures/000.png").rename("pictures/zzz.png")


def edited() -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("pictures/003.png")


CHANGED = {
    "added": lambda: shutil.copy("pictures/000.png", "pictures/more.png"),
    "removed": lambda: Path("pictures/005.png").unlink(),
    "edited": edited,
    "in another order": changed_label,
}


@pytest.mark.parametrize("how", CHANGED)
def test_data_that_have_changed_are_refused(cli: Cli, run: Path, how: str) -> None:
    CHANGED[how]()
    before = state()
    refused(resumes(cli), "the data have changed since x was trained: pictures differs from what")
    assert state() == before
    without_digest(run)  # as the message says
    assert resumes(cli).code == 0


def test_the_same_data_are_the_same_wherever_they_lie(cli: Cli, run: Path) -> None:
    shutil.copytree("pictures", "moved/pictures", copy_function=shutil.copyfile)  # with other times of change
    shutil.copytree(run, "whole")
    assert cli(*command("pictures", "whole", 6, "--resume")).code == 0
    for i, data in enumerate((Path("pictures").absolute(), "./pictures", "moved/pictures", "moved/../pictures")):
        shutil.copytree(run, f"x{i}")
        result = cli(*command(data, f"x{i}", 6, "--resume"))
        assert result.code == 0, result.err
        assert final(f"x{i}") == final("whole")


def test_run_and_checkpoint_name_what_the_data_held(run: Path, cli: Cli) -> None:
    said = json.loads((run / "run.json").read_text())["digest"]
    assert len(said) == 64
    assert {checkpoint.describe(path).run["digest"] for path in Folder(run).checkpoints()} == {said}


def without_digest(run: Path) -> None:
    """As gancli wrote it before data had one."""
    about = json.loads((run / "run.json").read_text())
    del about["digest"]
    (run / "run.json").write_text(json.dumps(about | {"data": "pictures", "folder": str(Path.cwd())}))


def test_a_run_of_before_is_known_by_where_its_data_lie(cli: Cli, run: Path) -> None:
    without_digest(run)
    noise_images(Path("other"), 5)
    refused(resumes(cli, "other"), "data was pictures, now other")
    refused(resumes(cli, "digits"), "settings differ from the saved run")
    assert resumes(cli, Path("pictures").absolute()).code == 0
    assert json.loads((run / "run.json").read_text())["digest"]


# --- a folder that goes while it is written to


def renamed_at(monkeypatch: pytest.MonkeyPatch, step: int, then: Callable[[], object] = lambda: None) -> None:
    monkeypatch.setattr(loop, "LAST_SECONDS", 0)
    at_step(monkeypatch, step, lambda: (Path("x").rename("y"), then()))


def test_a_renamed_folder_is_not_made_again(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        renamed_at(patch, 5)
        result = cli(*command(pictures, "x", 8))
    assert result.code == 2
    assert not Path("x").exists()
    assert result.out.count("cannot be written") == 1
    assert "the last checkpoint could not be written: " in result.err
    assert len(result.err.splitlines()) == 1
    if sys.platform == "linux":
        assert f"x was renamed to {Path('y').absolute()}" in result.err
    assert cli(*command(pictures, "y", 8, "--resume")).code == 0


def test_what_another_puts_in_its_place_is_not_written_to(
    cli: Cli, trained: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed_at(monkeypatch, 5, lambda: shutil.copytree(trained / "x", "x"))
    assert cli(*command(pictures, "x", 8, "--sample-every", 0.008)).code == 2
    assert state("x") == {str(Path("x", *Path(k).parts[-(len(Path(k).parts) - len(trained.parts) - 1) :])): v
                          for k, v in state(trained / "x").items()}  # fmt: skip


def test_a_folder_that_is_renamed_back_is_written_to_again(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*command(pictures, "whole", 12)).code == 0
    at_step(monkeypatch, 5, lambda: Path("x").rename("y"))
    at_step(monkeypatch, 10, lambda: Path("y").rename("x"))
    result = cli(*command(pictures, "x", 12))
    assert result.code == 0, result.err
    assert final("x") == final("whole")
    assert [tick["step"] for tick in Folder(Path("x")).ticks()] == list(range(1, 13))
    assert result.out.count("was renamed") <= 1 < result.out.count("can be written again")


def test_nothing_is_written_below_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with atomic.locked(folder):
        atomic.write_text(folder / "deep" / "er" / "a", "while it is there")
        folder.rename(tmp_path / "moved")
        for _ in range(2):
            for name in ("a", "deep/a"):
                with pytest.raises(atomic.Gone):
                    atomic.write_text(folder / name, "x")
                with pytest.raises(atomic.Gone):
                    atomic.append_text(folder / name, "x")
            assert not list(folder.iterdir() if folder.exists() else [])
            folder.mkdir(exist_ok=True)  # somebody else's
    atomic.write_text(folder / "deep" / "a", "nobody holds it")


def test_going_back_wants_what_was_saved(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a beginning from nothing, because the folder is not there."""

    monkeypatch.setattr("gancli.engine.finite.IN_A_ROW", 1)
    real = Training.step

    def step(self: Training) -> dict[str, torch.Tensor]:
        if self.state.clock.step == 5:
            shutil.rmtree("x")
        log = real(self)
        if self.state.clock.step > 5:
            self._health.add(torch.ones(()))
        return log

    monkeypatch.setattr(Training, "step", step)
    result = cli(*command(pictures, "x", 8))
    assert (result.code, "training must return to its last checkpoint" in result.err) == (2, True)


# --- what a checkpoint says


def rewrite(
    path: Path, change: Callable[[dict[str, Any]], object], tensors: Callable[[dict[str, Any]], object] | None = None
) -> None:
    """Change what a checkpoint says, or holds, with a hash that is right or none."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["gancli"])
    change(about)
    held = load_file(path)
    if tensors is not None:
        tensors(held)
        about["sha256"] = {}
    else:
        about["sha256"]["about"] = About(**about).hash()
    save_file(held, path, {"gancli": json.dumps(about)})


NUMBERS = {
    **{f"clock {n}": ("clock", "step", n) for n in (0.5, math.nan, 10**400, -1, True, "1", None, 2**60)},
    **{f"slower {n}": ("run", "slower", n) for n in (-1, "x", 0, math.nan, 1.5, True, None, [])},
    **{f"metric {n}": ("metrics", "fid", n) for n in ("x", True, 10**400, [])},
}


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_that_no_run_writes_are_refused(cli: Cli, run: Path, what: str) -> None:
    part, name, value = NUMBERS[what]
    for path in Folder(run).checkpoints():
        rewrite(path, lambda about: about[part].__setitem__(name, value))
    before = state()
    refused(cli("info", run), "its description is damaged")
    refused(cli("sample", run, "--out", "out.png"), "its description is damaged")
    refused(resumes(cli), "no checkpoint in x can be resumed")
    assert state() == before


def test_a_metric_that_was_no_number_is_null_and_stays_readable(cli: Cli, run: Path) -> None:
    path = Folder(run).checkpoints()[-1]
    rewrite(path, lambda about: about["metrics"].update(fid=math.nan, kid=1))  # as it was written before
    assert "fid nan" in cli("info", path).out
    assert resumes(cli).code == 0
    checkpoint.strip(path)
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["gancli"])["metrics"] == {"fid": None, "kid": 1}
    assert checkpoint.whole(path)


def first(held: dict[str, Any], field: str) -> str:
    return next(name for name in sorted(held) if name.startswith("opt.") and f".{field}." in name)


def replaced(field: str, by: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], object]:
    return lambda held: held.update({(name := first(held, field)): by(held[name]).contiguous()})


STATES: dict[str, Callable[[dict[str, Any]], object]] = {
    "double": replaced("exp_avg", torch.Tensor.double),
    "half": replaced("exp_avg_sq", torch.Tensor.half),
    "steps as integers": replaced("step", torch.Tensor.long),
    "a shape that spreads": replaced("exp_avg", lambda t: t.flatten()[:1].clone()),
    "a number for all": replaced("exp_avg", lambda t: torch.zeros(())),
    "a step for each": replaced("step", lambda t: t.expand(3).clone()),
    "not finite": replaced("exp_avg_sq", lambda t: torch.full_like(t, math.inf)),
    "a step before the first": replaced("step", lambda t: -t - 1),
    "one missing": lambda held: held.pop(first(held, "exp_avg")),
    "all missing": lambda held: [held.pop(name) for name in list(held) if name.startswith("opt.")],
    "of nobody": lambda held: held.update({"opt.X.exp_avg.net.weight": torch.zeros(1)}),
    "of no parameter": lambda held: held.update({"opt.D.exp_avg.x": torch.zeros(1)}),
    "of another's": lambda held: held.update({first(held, "step").replace("opt.D.", "opt.G."): torch.zeros(())}),
    "of no field": lambda held: held.update({first(held, "step").replace(".step.", ".speed."): torch.zeros(())}),
}


@pytest.mark.parametrize("what", STATES)
def test_an_optimiser_remembers_only_what_it_could(cli: Cli, run: Path, what: str) -> None:
    rewrite(Folder(run).checkpoints()[-1], lambda _: None, STATES[what])
    before = state()
    result = resumes(cli)
    assert (result.code, "does not match its own description: " in result.err) == (2, True), result
    assert len(result.err.splitlines()) == 1
    assert state() == before


# --- the log


BROKEN = {
    "infinite seconds": '{"step": 2, "images": 8, "seconds": Infinity}',
    "seconds beyond all floats": '{"step": 2, "images": 8, "seconds": 1e999}',
    "seconds that are none": '{"step": 2, "images": 8, "seconds": NaN}',
    "400 digits": f'{{"step": 2, "images": 8, "seconds": 1, "a": {10**400}}}',
    "a step of 400 digits": f'{{"step": {10**400}, "images": 8, "seconds": 1}}',
    "half a step": '{"step": 2.5, "images": 8, "seconds": 1}',
    "a word": '{"step": 2, "images": 8, "seconds": 1, "a": "x"}',
    "true": '{"step": 2, "images": 8, "seconds": 1, "a": true}',
    "no step": '{"images": 8, "seconds": 1}',
    "cut": '{"step": 2, "images": 8, "sec',
    "deep": "[" * 100_000,
    "no end": f'{{"step": 2, "images": 8, "seconds": 1{" " * 2**20}}}',
    "no json": "hello",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_line_costs_no_other_line(cli: Cli, run: Path, what: str) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    lines[1:1] = [BROKEN[what]]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    damaged = (run / "metrics.jsonl").read_bytes()
    result = resumes(cli)
    assert result.code == 0, result.err
    assert "metrics.jsonl: line 2 cannot be read: log copied to metrics.jsonl.damaged" in result.out
    assert (run / "metrics.jsonl.damaged").read_bytes() == damaged
    assert [tick["step"] for tick in Folder(run).ticks()] == [1, 2, 3, 4, 5, 6]


def test_a_last_line_that_a_crash_cut_goes_without_a_word(cli: Cli, run: Path) -> None:
    with (run / "metrics.jsonl").open("ab") as log:
        log.write(b'{"step": 5, "images"')
    result = resumes(cli)
    assert (result.code, "damaged" in result.out) == (0, False)
    assert not (run / "metrics.jsonl.damaged").exists()
    assert [tick["step"] for tick in Folder(run).ticks()] == [1, 2, 3, 4, 5, 6]


def test_a_log_larger_than_any_is_refused(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "LARGEST", 100)
    before = state()
    result = resumes(cli)
    assert (result.code, "metrics.jsonl cannot be read: it has more than 100 bytes" in result.err) == (2, True)
    assert state() == before


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
names = st.text(max_size=9).filter(lambda name: name not in ("step", "images", "seconds"))


@given(st.lists(st.dictionaries(names, numbers, max_size=4), max_size=6))
def test_a_log_gives_back_what_was_added(tmp_path_factory: pytest.TempPathFactory, terms: list[dict[str, Any]]) -> None:
    """Names may hold what ends a line elsewhere, and half of a character."""
    folder = Folder(tmp_path_factory.mktemp("log"))
    told = [{"step": i, "images": 4 * i, "seconds": i / 2, **more} for i, more in enumerate(terms)]
    for tick in told:
        folder.append([tick])
    assert folder.ticks() == told
    assert folder.rewind(2) is None
    assert folder.ticks() == told[:3]


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.append([{"step": 0, "images": 0, "seconds": 0.0, "fid": math.nan, "kid": math.inf}])
    assert '"fid": null, "kid": null' in folder.log.read_text()
    assert folder.ticks()[0]["fid"] is None


HOSTILE = {
    "3,000 names": [{f"term {i:04d}": 1.0 for i in range(3000)}, {"term 2999": 2.0}],
    "no formula": [{r"$\frac{$": 1.0, "$" * 9: 2.0, "\\": 3.0, "\x1b[31m\n": 1.0, "猫" * 500: 1.0, "": 1.0}],
    "numbers without end": [{"a": 1e308}, {"a": -1e308}, {"a": 10**300}, {"a": 1.0}],
    "no numbers": [{"a": None}, {"a": None}],
    "no speed": [{"fid": 1.0}],
}


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("what", HOSTILE)
def test_curves_are_drawn_of_any_log(cli: Cli, run: Path, what: str) -> None:
    place = {"step": 4, "images": 16, "seconds": 1.0}
    Folder(run).append([place | terms for terms in HOSTILE[what]])
    (run / "curves.png").unlink()
    assert resumes(cli).code == 0
    with Image.open(run / "curves.png") as picture:
        assert max(picture.size) < 10_000


def test_the_names_that_come_most_often_have_a_panel() -> None:
    told = [{"images": 4, **{f"x{i}": 1.0 for i in range(3000)}}, *[{"images": 8, "loss": 1.0}] * 2]
    shown = curves._panels(told)
    assert "loss" in shown
    assert len(shown) == curves.MOST_PANELS
