"""The commands as people and scripts use them."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli import registry
from tests import children
from tests.conftest import Cli, Trained, noise_images

QUICK = ("--batch", 4, "--width", 4, "--z-dim", 6)


@pytest.fixture
def run(trained: Trained, pictures: Path) -> Path:
    """A run of three steps."""
    return trained("run", "dcgan", "--steps", 3, *QUICK)


def cpu_seconds(*arguments: str) -> tuple[float, set[str]]:
    """CPU time of a command in a process of its own, and the modules it imported."""
    code = (
        "import sys, os\nfrom gancli.cli.main import run\n"
        f"sys.stdout = open(os.devnull, 'w')\nrun({list(arguments)!r})\n"
        "print(','.join(sys.modules), file=sys.stderr)"
    )
    before = os.times()
    done = children.run([sys.executable, "-c", code], check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, set(done.stderr.split(","))


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("train", "--help"), ("train", "dcgan", "--help"), ("list", "--json"), ("sample", "--help")],
    ids=" ".join,
)
def test_help_imports_no_torch(arguments: tuple[str, ...]) -> None:
    _, modules = cpu_seconds(*arguments)
    assert not modules & {"torch", "numpy", "PIL", "matplotlib"}


@pytest.mark.parametrize("name", registry.names())
def test_help_shows_exactly_the_options_of_the_variant(cli: Cli, name: str) -> None:
    import dataclasses

    shown = cli("train", name, "--help")
    assert shown.code == 0
    for field in dataclasses.fields(registry.hyperparameters(name)):
        assert f"--{field.name.replace('_', '-')} " in shown.out
    assert ("--gp-weight" in shown.out) == hasattr(registry.hyperparameters(name), "gp_weight")


def test_list_is_json_for_scripts(cli: Cli) -> None:
    assert [entry["name"] for entry in json.loads(cli("list", "--json").out)] == registry.names()
    assert "DCGAN: Radford et al. 2016" in cli("list").out


def test_a_run_folder_holds_everything(run: Path) -> None:
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    grids = {"samples/000000000.png", "samples/000000012.png"}
    assert found == grids | {
        "run.json",
        "metrics.jsonl",
        "reals.png",
        "curves.png",
        "warnings.jsonl",
        "checkpoints/000000012.safetensors",
    }
    ticks = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [tick["step"] for tick in ticks] == [1, 2, 3]
    assert {"images", "seconds", "images_per_second", "D/adversarial", "G/adversarial"} <= set(ticks[0])


def test_the_last_line_for_scripts_is_one_json_object(cli: Cli, pictures: Path) -> None:
    result = cli("train", "gan", "--data", pictures, "--steps", 2, *QUICK, "--json")
    told = json.loads(result.out)
    assert Path(told["checkpoint"]).is_file()
    assert told["images"] == 8
    assert "networks" in result.err


def test_quiet_is_silent(cli: Cli, pictures: Path) -> None:
    result = cli("train", "gan", "--data", pictures, "--steps", 2, *QUICK, "--quiet")
    assert result == (0, "", "")


def test_no_control_codes_off_a_terminal(cli: Cli, pictures: Path) -> None:
    assert "\x1b" not in cli("train", "gan", "--data", pictures, "--steps", 2, *QUICK).out


def test_a_dry_run_writes_nothing(cli: Cli, pictures: Path) -> None:
    result = cli("train", "dcgan", "--data", pictures, "--dry-run")
    assert result.code == 0
    assert "12 images, 8x8" in result.out
    assert not Path("runs").exists()


def test_a_dry_run_is_a_plan_for_scripts(cli: Cli, pictures: Path) -> None:
    words = ("train", "dcgan", "--data", pictures, "--dry-run", "--json", "--batch", 4, "--width", 4)
    for quiet in ((), ("--quiet",)):
        result = cli(*words, "--kimg", 1, *quiet)
        plan = json.loads(result.out)
        assert (plan["variant"], plan["images"], plan["steps"], plan["run"]) == (
            "dcgan", 1000, 250, "runs/dcgan-pictures-1",
        )  # fmt: skip
        assert plan["data"]["images"] == 12
        assert (plan["image"]["width"], plan["image"]["channels"]) == (8, 3)
        assert set(plan["parameters"]) == {"G", "D"}
        assert plan["hparams"]["batch"] == 4
        assert "batch" not in plan["preset"]  # it was given
        assert plan["seconds"] == pytest.approx(1000 / plan["images_per_second"])
        assert (result.err == "") == bool(quiet)
    assert json.loads(cli(*words, "--steps", 1).out)["seconds"] > 0
    assert not Path("runs").exists()


def test_runs_are_numbered_and_named_models(cli: Cli, pictures: Path) -> None:
    for _ in range(2):
        assert cli("train", "gan", "--data", pictures, "--steps", 1, *QUICK).code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["gan-pictures-1", "gan-pictures-2"]
    assert cli("sample", "gan-pictures-2", "-n", 1).code == 0


def test_a_seed_means_the_same_bytes_alone_in_a_batch_and_again(cli: Cli, run: Path) -> None:
    assert cli("sample", run, "--seeds", "3,5", "--out", "few").code == 0
    assert cli("sample", run, "-n", 64, "--out", "many").code == 0
    for seed in (3, 5):
        name = f"seed{seed:05d}.png"
        few, many = (np.asarray(Image.open(Path(folder, name))) for folder in ("few", "many"))
        assert np.array_equal(few, many)
    assert cli("sample", "--like", "few/seed00003.png", "--out", "again.png").code == 0
    assert cli("sample", run, "--seeds", "3,5", "--truncation", 0.7, "--out", "grid.png").code == 0
    assert cli("sample", "--like", "grid.png", "--out", "grid-again.png").code == 0
    assert Path("grid.png").read_bytes() == Path("grid-again.png").read_bytes()
    assert Path("again.png").read_bytes() == Path("few/seed00003.png").read_bytes()


def test_truncation_changes_the_image(cli: Cli, run: Path) -> None:
    cli("sample", run, "--seeds", "1-9", "--out", "a.npz")
    cli("sample", run, "--seeds", "1-9", "--truncation", 0.1, "--out", "b.npz")
    a, b = (np.load(name)["images"] for name in ("a.npz", "b.npz"))
    assert a.shape == (9, 8, 8, 3)
    assert a.dtype == np.uint8
    assert not np.array_equal(a, b)


def test_like_refuses_another_checkpoint(cli: Cli, run: Path, pictures: Path) -> None:
    cli("sample", run, "--seeds", "1", "--out", "a.png")
    cli("train", "dcgan", "--data", pictures, "--steps", 1, *QUICK, "--out", "other")
    result = cli("sample", "other", "--like", "a.png")
    assert result.code == 2
    assert "was generated by checkpoint" in result.err


@pytest.mark.parametrize(
    "options",
    [
        ("--out", "walk.gif"),
        ("--out", "walk.webp", "--mode", "lerp"),
        ("--strip",),
        ("--grid", "--frames", 9),
        ("--axis", 2, "--strip"),
        ("--loop", "--out", "frames"),
    ],
    ids=lambda o: " ".join(map(str, o)),
)
def test_walks(cli: Cli, run: Path, options: tuple[object, ...]) -> None:
    result = cli("interpolate", run, "--frames", 5, *options)
    assert result.code == 0, result.err
    written = Path(result.out.strip())
    assert written.exists()


def test_info_tells_what_a_checkpoint_is(cli: Cli, run: Path) -> None:
    told = json.loads(cli("info", run, "--json").out)
    assert told["variant"] == "dcgan"
    assert told["clock"] == {"step": 3, "images": 12, "total": 12}
    assert "8x8" in cli("info", run).out


def test_a_plug_in_file_trains_and_samples(cli: Cli, pictures: Path) -> None:
    Path("mine.py").write_text(
        '"""Mine: Me 2026, "My GAN"."""\n'
        "from dataclasses import dataclass\n"
        "from gancli.hparams import hparam\n"
        "from gancli.families.noise import NoiseHParams, NoiseToImage\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class HParams(NoiseHParams):\n"
        '    flips: int = hparam(1, "an option of its own", min=0)\n'
        "class Mine(NoiseToImage[HParams]):\n"
        '    """My idea."""\n'
        "    hparams = HParams\n"
    )
    assert "--flips" in cli("train", "./mine.py", "--help").out
    result = cli("train", "./mine.py", "--data", pictures, "--steps", 1, *QUICK, "--flips", 3, "--out", "x")
    assert result.code == 0, result.err
    assert cli("sample", "x", "-n", 1).code == 0
    Path("mine.py").write_text(Path("mine.py").read_text() + "# changed\n")
    changed = cli("sample", "x", "-n", 1)
    assert changed.code == 2
    assert "has changed" in changed.err
    assert "restore it, or train again" in changed.err


def folder_state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


BAD = {
    "an unknown variant": (("train", "dcgn"), "did you mean dcgan"),
    "a folder for a variant": (("train", "pictures"), "name the variant first"),
    "an unknown option": (("train", "dcgan", "--colour", "red"), "No such option"),
    "an option of another variant": (("train", "dcgan", "--gp-weight", "1"), "No such option"),
    "a value out of range": (("train", "dcgan", "--lr", "-1"), "--lr"),
    "a mean that never moves": (("train", "dcgan", "--beta2", "1"), "--beta2"),
    "a value of another type": (("train", "dcgan", "--batch", "many"), "--batch"),
    "a missing folder": (("train", "dcgan", "--data", "./nothing"), "no such file or folder"),
    "a folder with no image": (("train", "dcgan", "--data", "empty"), "no images in"),
    "a corrupt image": (("train", "dcgan", "--data", "corrupt"), "corrupt.png"),
    "a size that does not halve": (("train", "dcgan", "--data", "pictures", "--size", "50"), "--size"),
    "a run that is there": (("train", "dcgan", "--data", "pictures", "--out", "run"), "already holds a run"),
    "an unknown choice": (("train", "dcgan", "--preset", "fast"), "'--preset': 'fast' is not one of 'auto'"),
    "two lengths": (("train", "dcgan", "--steps", "1", "--epochs", "1"), "give only one"),
    "a device that is not there": (("train", "dcgan", "--device", "cuda"), "this machine has"),
    "no model": (("sample",), "name a MODEL"),
    "an unknown model": (("sample", "nothing"), "no model 'nothing'"),
    "a truncated checkpoint": (("sample", "cut.safetensors"), "not a complete safetensors file"),
    "a .pth": (("sample", "x.pth"), "is not a checkpoint"),
    "an empty run": (("sample", "empty"), "holds no checkpoint"),
    "another safetensors file": (("info", "other.safetensors"), "is not a gancli checkpoint"),
    "bad seeds": (("sample", "run", "--seeds", "a-b"), "--seeds a-b"),
    "a truncation of nothing": (("sample", "run", "--truncation", "0"), "share of samples to keep, 0.01 to 1"),
    "a share above all": (("sample", "run", "--truncation", "1.01"), "share of samples to keep, 0.01 to 1"),
    "a share that is no number": (("sample", "run", "--truncation", "nan"), "share of samples to keep, 0.01 to 1"),
    "a walk of a share below none": (("interpolate", "run", "--truncation", "-1"), "samples to keep, 0.01 to 1"),
    "an unknown ending": (("sample", "run", "--out", "x.jpg"), "give a .png"),
    "a walk of one seed": (("interpolate", "run", "--seeds", "1"), "at least two stops"),
    "an axis beyond the last": (("interpolate", "run", "--axis", "6"), "axes 0 to 5"),
    "a picture of another origin": (("sample", "--like", "pictures/000.png"), "is not a PNG that gancli"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_one_line_and_exit_code_2(cli: Cli, run: Path, tmp_path: Path, what: str) -> None:
    import torch
    from safetensors.torch import save_file

    Path("empty").mkdir()
    noise_images(Path("corrupt"), 2)
    Path("corrupt/corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    whole = next((run / "checkpoints").glob("*")).read_bytes()
    Path("cut.safetensors").write_bytes(whole[: len(whole) // 2])
    torch.save({"a": torch.zeros(1)}, "x.pth")
    save_file({"a": torch.zeros(1)}, "other.safetensors")
    before = folder_state(tmp_path)

    arguments, says = BAD[what]
    result = cli(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert says in result.err
    assert result.err.startswith("gancli: ")
    assert len(result.err.strip().splitlines()) == 1
    assert folder_state(tmp_path) == before


def test_names_with_spaces_and_other_letters(cli: Cli) -> None:
    folder = noise_images(Path("größe und mehr/猫"))
    result = cli("train", "gan", "--data", folder.parent, "--steps", 1, *QUICK)
    assert result.code == 0, result.err
    assert cli("sample", Path("runs/gan-gr-e-und-mehr-1"), "-n", 1, "--out", "ä ö.png").code == 0


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m gancli train dcgan --help | head -1"
    done = children.run(["bash", "-c", command])
    assert done.stderr == ""


@pytest.mark.parametrize("words", [(), ("train",), ("bench",)])
def test_a_group_without_a_command_prints_its_help_as_help(cli: Cli, words: tuple[str, ...]) -> None:
    alone, asked = cli(*words), cli(*words, "--help")
    assert (alone.code, alone.err) == (2, "")
    assert alone.out == asked.out
    assert len(alone.out.splitlines()) > 10
