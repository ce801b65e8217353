"""`train --from MODEL`: a run starts from the weights of another, and goes on like any."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from gancli.checkpoints import checkpoint
from gancli.training import launch
from gancli.training.loop import Training
from gancli.training.state import State
from tests.conftest import Cli, Trained, noise_images
from tests.training.test_resuming import final

SMALL = ("--batch", 4, "--width", 4, "--z-dim", 6)
QUIET = ("--metrics", "none", "--sample-every", 1000)


@pytest.fixture
def parent(trained: Trained) -> Path:
    return trained("parent", "dcgan", *SMALL, *QUIET, "--steps", 3, "--g-norm", "none", "--beta1", 0.3)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Other images of the same shape."""
    return noise_images(tmp_path / "other", count=9)


def tensors(run: str | Path, part: str) -> dict[str, Tensor]:
    found = load_file(max((Path(run) / "checkpoints").glob("0*.safetensors")))
    return {name.removeprefix(f"{part}."): t for name, t in found.items() if name.startswith(f"{part}.")}


def words(data: Path, *more: object) -> tuple[object, ...]:
    return ("train", "dcgan", "--data", data, "--from", "parent", *QUIET, *more)


def about(run: str) -> dict[str, Any]:
    return json.loads(Path(run, "run.json").read_text())


# --------------------------------------------------------------------------------------------------- the start


def test_it_starts_from_the_weights_with_a_fresh_optimiser_and_clock(cli: Cli, parent: Path, other: Path) -> None:
    result = cli(*words(other, "--steps", 0, "--out", "child"))
    assert result.code == 0, result.err
    for part in ("gan", "ema"):
        before, after = tensors(parent, part), tensors("child", part)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
    assert not tensors("child", "opt")
    newest = max(Path("child/checkpoints").iterdir())
    assert checkpoint.describe(newest).clock["images"] == 0


def test_the_control_without_from_starts_elsewhere(cli: Cli, parent: Path, other: Path) -> None:
    fresh = ("train", "dcgan", "--data", other, *QUIET, *SMALL, "--g-norm", "none", "--steps", 0, "--out", "fresh")
    assert cli(*fresh).code == 0
    before, after = tensors(parent, "gan"), tensors("fresh", "gan")
    assert before.keys() == after.keys()
    assert not torch.equal(before["G.net.0.weight"], after["G.net.0.weight"])


def test_run_json_says_where_it_comes_from(cli: Cli, parent: Path, other: Path) -> None:
    result = cli(*words(other, "--steps", 0, "--out", "child", "--freeze-d", 1))
    newest = max((parent / "checkpoints").glob("0*"))
    assert about("child")["start"] == {
        "model": "parent",
        "path": str(newest.resolve()),
        "sha256": checkpoint.fingerprint(newest),
    }
    assert about("child")["freeze_d"] == 1
    assert f"from      {newest.resolve()}, with its hyperparameters; the first 1 layer of D" in result.out


def test_hyperparameters_are_the_checkpoints_but_options_win(cli: Cli, parent: Path, other: Path) -> None:
    assert cli(*words(other, "--steps", 0, "--lr", 0.5, "--out", "child")).code == 0
    before, now = about("parent")["hparams"], about("child")["hparams"]
    assert (now["lr"], before["lr"] != 0.5) == (0.5, True)
    apart = {name for name in now if now[name] != before[name]}
    assert apart <= {"lr", "kimg", "augment", "mirror"}
    assert now["beta1"] == 0.3


def test_a_file_without_d_starts_with_a_fresh_d(cli: Cli, parent: Path, other: Path, tmp_path: Path) -> None:
    newest = max((parent / "checkpoints").glob("0*"))
    slim = tmp_path / "slim.safetensors"
    found = checkpoint.describe(newest)
    kept = {f"ema.{name}": t for name, t in checkpoint.part(newest, "ema").items() if name.startswith("G.")}
    checkpoint._write(slim, found, kept)
    result = cli("train", "dcgan", "--data", other, "--from", slim, *QUIET, "--steps", 0, "--out", "child")
    assert result.code == 0, result.err
    assert "holds no D, which starts with random weights" in result.out
    before, after = tensors(parent, "ema"), tensors("child", "gan")
    assert torch.equal(before["G.net.0.weight"], after["G.net.0.weight"])
    assert not torch.equal(before["D.head.weight"], after["D.head.weight"])


# --------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("variant", "options", "said"),
    [
        ("dcgan", ("--width", 8), "--width 8, but its own is 4: leave that out"),
        ("dcgan", ("--z-dim", 8, "--lr", 0.1), "--z-dim 8, but its own is 6: leave that out"),
        ("dcgan", ("--g-norm", "batch"), "--g-norm batch, but its own is none"),
        (
            "dcgan",
            ("--size", 16),
            "generates 8x8 with 3 channels, but the data are 16x16 with 3 channels: give --size 8",
        ),
        ("dcgan", ("--channels", 1), "but the data are 8x8 with 1 channel: give --size 8 --channels 3"),
        ("gan", (), "it is a checkpoint of dcgan: use gancli train dcgan"),
        ("dcgan", ("--freeze-d", 99), "D has 2 layers: give at most 1"),
    ],
)
def test_what_does_not_fit_is_one_line(
    cli: Cli, parent: Path, other: Path, variant: str, options: tuple[object, ...], said: str
) -> None:
    result = cli(
        "train", variant, "--data", other, "--from", "parent", *options, "--steps", 1, "--out", "child", "--quiet"
    )
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert said in result.err
    assert not Path("child").exists()


def test_freezing_needs_a_model_and_a_model_must_be_there(cli: Cli, other: Path) -> None:
    for options, said in ((("--freeze-d", 1), "give --from MODEL too"), (("--from", "none"), "no model 'none'")):
        result = cli("train", "dcgan", "--data", other, *options, "--out", "child", "--quiet")
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert said in result.err


def test_damaged_weights_are_refused(cli: Cli, parent: Path, other: Path) -> None:
    newest = max((parent / "checkpoints").glob("0*"))
    weight = tensors(parent, "gan")["G.net.0.weight"].numpy().tobytes()
    data = newest.read_bytes()
    place = data.index(weight, data.index(b"gan.G.net.0.weight") + 1)
    newest.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    result = cli(*words(other, "--steps", 1, "--out", "child", "--quiet"))
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "is damaged" in result.err
    assert not Path("child").exists()


# --------------------------------------------------------------------------------------------------- labels


def test_other_classes_keep_what_fits(cli: Cli, tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        noise_images(tmp_path / "two" / name)
    for name in ("ants", "bees", "flies"):
        noise_images(tmp_path / "three" / name)
    small = ("train", "cgan", *QUIET, "--steps", 2)
    assert cli(*small, "--data", "two", "--batch", 4, "--width", 4, "--z-dim", 6, "--out", "parent").code == 0
    result = cli(*small, "--data", "three", "--from", "parent", "--steps", 0, "--out", "child")
    assert result.code == 0, result.err
    assert "its classes differ" in result.out
    before, after = tensors("parent", "gan"), tensors("child", "gan")
    other = [name for name in before if before[name].shape != after[name].shape]
    assert other
    for name in before:
        common = tuple(slice(min(a, b)) for a, b in zip(before[name].shape, after[name].shape))
        assert torch.equal(before[name][common], after[name][common])
    assert cli(*small, "--data", "three", "--from", "parent", "--out", "trained").code == 0
    wrong = cli(*small, "--data", "three", "--from", "parent", "--width", 8, "--out", "none")
    assert wrong.code == 2
    assert "--width 8, but its own is 4" in wrong.err


@pytest.mark.parametrize(
    ("before", "now", "advice"),
    [
        ("pictures", "classes", "trained without labels, and the data have some: give --no-labels"),
        ("classes", "pictures", "trained with labels, and the data have none: give images in one folder per class"),
    ],
)
def test_labels_on_one_side_only_are_one_line(
    cli: Cli, pictures: Path, tmp_path: Path, before: str, now: str, advice: str
) -> None:
    for name in ("cats", "dogs"):
        shutil.copytree(pictures, tmp_path / "classes" / name)
    small = ("train", "stylegan2", *QUIET, "--steps", 0, "--width", 4, "--z-dim", 6)
    assert cli(*small, "--data", tmp_path / before, "--out", "parent").code == 0
    result = cli(*small, "--data", tmp_path / now, "--from", "parent", "--out", "child")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert f"--from parent: it was {advice}" in result.err
    assert not Path("child").exists()
    if now == "classes":
        assert cli(*small, "--data", tmp_path / now, "--from", "parent", "--no-labels", "--out", "child").code == 0


# --------------------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("frozen", [(), ("--freeze-d", 1)])
def test_a_fine_tuned_run_is_resumed_bit_for_bit_without_its_parent(
    cli: Cli, parent: Path, other: Path, monkeypatch: pytest.MonkeyPatch, frozen: tuple[object, ...]
) -> None:
    command = words(other, *frozen, "--steps", 9)
    assert cli(*command, "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_stopped", lambda self: self.state.clock.step >= 5)
        assert cli(*command, "--out", "parts").code == 0
    parent.rename("gone")
    result = cli(*command, "--out", "parts", "--resume")
    assert result.code == 0, result.err
    assert final("whole") == final("parts")
    bare = ("train", "dcgan", "--data", other, *QUIET, "--steps", 9, "--out", "parts", "--resume")
    assert cli(*bare).code == 0
    assert final("whole") == final("parts")


def test_a_run_that_has_saved_nothing_starts_over_from_its_parent(cli: Cli, parent: Path, other: Path) -> None:
    command = words(other, "--steps", 3)
    assert cli(*command, "--out", "whole").code == 0
    assert cli(*command, "--out", "parts").code == 0
    for path in Path("parts/checkpoints").iterdir():
        path.unlink()
    Path("parts/metrics.jsonl").unlink()
    assert cli("train", "dcgan", "--data", other, *QUIET, "--steps", 3, "--out", "parts", "--resume").code == 0
    assert final("whole") == final("parts")
    for path in Path("parts/checkpoints").iterdir():
        path.unlink()
    parent.rename("gone")
    result = cli(*command, "--out", "parts", "--resume")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "the model that this run started from is missing" in result.err


def test_a_command_that_always_resumes_starts_from_the_parent_too(cli: Cli, parent: Path, other: Path) -> None:
    assert cli(*words(other, "--steps", 3, "--out", "whole")).code == 0
    for steps in (2, 3):
        assert cli(*words(other, "--steps", steps, "--out", "parts", "--resume")).code == 0
    assert final("whole") == final("parts")
    assert about("parts")["start"]["model"] == "parent"


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--from", "grandparent"), "from was parent, now grandparent"), (("--freeze-d", 1), "freeze-d was 0, now 1")],
)
def test_another_start_is_another_run(
    cli: Cli, parent: Path, other: Path, options: tuple[object, ...], said: str
) -> None:
    parent.rename("parent2")
    Path("parent2").rename("parent")
    assert cli(*words(other, "--steps", 1, "--out", "child")).code == 0
    command = ("train", "dcgan", "--data", other, *QUIET, "--steps", 2, "--out", "child", "--resume", *options)
    result = cli(*command)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert said in result.err


def test_a_run_that_diverges_returns_to_its_parents_weights(
    cli: Cli, parent: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its first checkpoint."""
    seen: list[dict[str, Tensor]] = []
    go_back = launch._go_back

    def looked(folder: Any, data: Any, state: Any, options: Any) -> None:
        go_back(folder, data, state, options)
        seen.extend({k: t.clone() for k, t in gan.state_dict().items()} for gan in (state.gan, state.ema.gan))

    monkeypatch.setattr(launch, "_go_back", looked)
    monkeypatch.setattr(State, "finite_on_all_ranks", lambda _: bool(seen))
    result = cli(*words(other, "--steps", 4, "--out", "child"))
    assert result.code == 0, result.err
    assert len(seen) == 2
    for part, found in zip(("gan", "ema"), seen):
        before = tensors(parent, part)
        assert all(torch.equal(before[name], tensor) for name, tensor in found.items())


# --------------------------------------------------------------------------------------------------- freezing


def test_frozen_layers_stay_and_the_others_learn(cli: Cli, parent: Path, other: Path) -> None:
    assert cli(*words(other, "--steps", 3, "--freeze-d", 1, "--out", "child")).code == 0
    before, after = tensors(parent, "gan"), tensors("child", "gan")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {"D.trunk.0.weight", "D.trunk.0.bias"} <= same
    assert not {"D.head.weight", "G.net.0.weight"} & same
