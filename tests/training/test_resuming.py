"""Nothing is lost: a run that stops, by any means, goes on as if it had not."""

import json
import random
import signal
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from gancli import registry
from gancli.families import contrastive
from gancli.nets.patchgan import PatchGAN
from gancli.training.loop import Training
from tests import forked
from tests.conftest import Cli
from tests.variants.small import small_options

QUICK = ("--batch", 4, "--width", 4, "--z-dim", 6, "--sample-every", 1000)


def final(folder: str | Path) -> bytes:
    return max((Path(folder) / "checkpoints").glob("*.safetensors")).read_bytes()


@pytest.mark.parametrize("name", registry.names())
def test_7_steps_and_5_more_are_12(cli: Cli, two_folders: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("train", name, "--data", two_folders, *small_options(name), "--steps", 12, "--metrics", "none")
    result = cli(*command, "--out", "whole")
    assert result.code == 0, result.err
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_stopped", lambda self: self.state.clock.step >= 7)
        assert cli(*command, "--out", "parts").code == 0
    assert max(Path("parts/checkpoints").iterdir()).stem == "000000028"
    assert cli(*command, "--out", "parts", "--resume").code == 0
    assert final("whole") == final("parts")
    steps = [json.loads(line)["step"] for line in Path("parts/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_a_shorter_run_can_be_made_longer(cli: Cli, pictures: Path) -> None:
    command = ("train", "dcgan", "--data", pictures, *QUICK, "--decay", 0)  # rates that fall know the length
    assert cli(*command, "--steps", 12, "--out", "whole").code == 0
    assert cli(*command, "--steps", 7, "--out", "parts").code == 0
    assert cli(*command, "--steps", 12, "--out", "parts", "--resume").code == 0
    assert final("whole") == final("parts")


def test_what_has_ended_is_evaluated_again_and_said_once(cli: Cli) -> None:
    words = ("train", "wgan-gp", "--data", "ring8", "--steps", 2, "--batch", 4, "--width", 4, "--eval-every", 0.004)
    assert cli(*words, "--out", "x").code == 0
    before = [json.loads(line) for line in Path("x/metrics.jsonl").read_text().splitlines()]
    for _ in range(2):
        assert cli(*words, "--out", "x", "--resume").code == 0
        after = [json.loads(line) for line in Path("x/metrics.jsonl").read_text().splitlines()]
        assert [(tick["step"], tick.keys()) for tick in after] == [(tick["step"], tick.keys()) for tick in before]
    assert sum("images_per_second" not in tick for tick in before) == 2


def test_resume_without_out_takes_the_newest_of_its_kind(cli: Cli, pictures: Path) -> None:
    for _ in range(2):
        cli("train", "gan", "--data", pictures, *QUICK, "--steps", 1)
    result = cli("train", "gan", "--data", pictures, *QUICK, "--steps", 2, "--resume")
    assert result.code == 0
    assert "resumed from 000000004" in result.out
    assert len(list(Path("runs/gan-pictures-2/checkpoints").iterdir())) == 2


def test_a_changed_hyperparameter_is_an_error_that_names_both(cli: Cli, pictures: Path) -> None:
    cli("train", "gan", "--data", pictures, *QUICK, "--steps", 1, "--out", "x")
    result = cli("train", "gan", "--data", pictures, *QUICK, "--steps", 2, "--out", "x", "--resume", "--lr", 0.1)
    assert result.code == 2
    assert "lr was 0.0005, now 0.1" in result.err


def test_a_damaged_checkpoint_is_passed_over(cli: Cli, pictures: Path) -> None:
    command = ("train", "gan", "--data", pictures, *QUICK, "--save-every", 0.008)
    cli(*command, "--steps", 6, "--out", "whole")
    cli(*command, "--steps", 4, "--out", "x")
    newest = max(Path("x/checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:1000])
    result = cli(*command, "--steps", 6, "--out", "x", "--resume")
    assert "resumed from 000000008" in result.out
    assert final("x") == final("whole")


def test_only_the_newest_two_keep_what_training_needs(cli: Cli, pictures: Path) -> None:
    cli("train", "gan", "--data", pictures, *QUICK, "--save-every", 0.004, "--steps", 8, "--keep", 4, "--out", "x")
    kept = sorted(Path("x/checkpoints").iterdir())
    assert len(kept) == 4
    resumable = [any(name.startswith("opt.") for name in load_file(path)) for path in kept]
    assert resumable == [False, False, True, True]
    assert cli("sample", kept[0], "-n", 1).code == 0


def start(folder: str, pictures: Path, *options: object, steps: int = 3000) -> forked.Forked:
    own = ("--steps", steps, "--out", folder, "--precision", "fp32")
    return forked.start("train", "gan", "--data", pictures, *QUICK, *own, *options)


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not (path.exists() and (path.is_file() or any(path.glob("0*.safetensors")))):
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def test_kill_9_at_a_random_moment_loses_nothing(cli: Cli, pictures: Path) -> None:
    command = ("train", "gan", "--data", pictures, *QUICK, "--steps", 400, "--save-every", 0.1)
    command += ("--precision", "fp32")
    assert cli(*command, "--out", "whole").code == 0
    process = start("killed", pictures, "--save-every", 0.1, steps=400)
    wait_for(Path("killed/checkpoints"))
    time.sleep(random.random() / 2)
    process.kill()
    process.communicate()
    assert cli(*command, "--out", "killed", "--resume").code == 0
    assert final("killed") == final("whole")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_save_and_stop(cli: Cli, pictures: Path, number: signal.Signals, code: int) -> None:
    process = start("x", pictures, steps=10**6)
    wait_for(Path("x/metrics.jsonl"))
    sent = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert time.monotonic() - sent < 5
    assert "stopped after" in out
    assert len(list(Path("x/checkpoints").iterdir())) == 1


def test_diverged_training_has_its_own_exit_code(cli: Cli, pictures: Path) -> None:
    result = cli("train", "lsgan", "--data", pictures, *QUICK, "--lr", 1e30, "--steps", 20, "--out", "x")
    assert result.code == 3
    assert "training diverged" in result.err


def test_a_run_keeps_its_preset_and_the_defaults_of_what_it_does_not_name(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "dcgan", "--data", pictures, "--size", 16, "--width", 4, "--metrics", "none", "--out", "run")
    assert cli(*command, "--steps", 2).code == 0
    about = json.loads(Path("run/run.json").read_text())
    assert about["suited"]
    for name in ("r1", "decay"):  # as a version wrote it that had no such option
        del about["hparams"][name]
        about["suited"].pop(name, None)
    Path("run/run.json").write_text(json.dumps(about))
    monkeypatch.setattr(registry.load("dcgan"), "on_small", {"batch": 2, "kimg": 1.0})
    result = cli(*command, "--steps", 4, "--resume")
    assert result.code == 0, result.err
    assert json.loads(Path("run/run.json").read_text())["suited"].items() >= about["suited"].items()
    refused = cli(*command, "--steps", 6, "--resume", "--r1", 1)
    assert refused.code == 2
    assert "r1 was 0.0, now 1.0" in refused.err


def test_a_run_with_an_option_that_has_gone_or_without_one_that_has_come_goes_on(cli: Cli, two_folders: Path) -> None:
    """DiscoGAN had --layers, which did nothing."""
    command = ("train", "discogan", "--data", two_folders, "--batch", 4, "--width", 4, "--out", "x", "--steps")
    assert "--layers" not in cli("train", "discogan", "--help").out
    assert cli(*command, 2).code == 0
    about = json.loads(Path("x/run.json").read_text())
    del about["hparams"]["warmup"]
    Path("x/run.json").write_text(json.dumps(about | {"hparams": about["hparams"] | {"layers": 3}}))
    result = cli(*command, 3, "--resume")
    assert result.code == 0, result.err
    assert cli(*command, 4, "--resume", "--warmup", 0.5).code == 2


@pytest.mark.parametrize("name", ["cyclegan", "dualgan", "infogan"])
def test_a_run_of_a_version_with_other_defaults_goes_on_with_those(cli: Cli, two_folders: Path, name: str) -> None:
    """Translators once had 16 channels, three blocks and no preset for large images."""
    command = ("train", name, "--data", two_folders, "--width", 4, "--out", "x", "--metrics", "none", "--steps")
    assert cli(*command, 1).code == 0
    about = json.loads(Path("x/run.json").read_text())
    assert about["suited"]
    Path("x/run.json").write_text(json.dumps(about | {"suited": {}}))
    result = cli(*command, 2, "--resume")
    assert result.code == 0, result.err
    assert json.loads(Path("x/run.json").read_text())["hparams"] == about["hparams"]
    refused = cli(*command, 3, "--resume", "--lr", 0.5)
    assert (refused.code, "settings differ" in refused.err) == (2, True)


def test_a_changed_image_size_is_a_sentence(cli: Cli, pictures: Path) -> None:
    command = ("train", "gan", "--data", pictures, "--batch", 4, "--width", 4, "--steps", 1, "--out", "x")
    assert cli(*command).code == 0
    refused = cli(*command, "--resume", "--size", 16)
    assert "image was channels 3, height 8, width 8, now channels 3, height 16, width 16" in refused.err


def test_a_run_whose_d_had_another_form_is_refused_but_still_translates(
    cli: Cli, two_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNIT's D had one scale, and CUT's no blur."""
    options = ("--batch", 4, "--width", 4, "--blocks", 1, "--patches", 8)
    command = ("train", "cut", "--data", two_folders, *options, "--metrics", "none", "--out", "x", "--steps")
    with monkeypatch.context() as patch:
        patch.setattr(contrastive, "PatchGAN", lambda *a, antialias: PatchGAN(*a))
        assert cli(*command, 1).code == 0
    result = cli(*command, 2, "--resume")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "D had another architecture in the version of gancli that wrote it" in result.err
    newest = max(Path("x/checkpoints").glob("0*.safetensors"))
    image = next((two_folders / "A").iterdir())
    assert cli("translate", newest, image, "--out", "y.png").code == 0
