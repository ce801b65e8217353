"""ADA in the games of style models: the probability follows how sure D is of real images, and is saved with them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.engine.step import play_step
from gancli.gan import Clock
from gancli.training.loop import Training
from tests.conftest import Cli
from tests.variants.small import feed, make, steps

NAMES = ["stylegan", "stylegan2", "stylegan3"]


def sure(name: str, **options: Any) -> Any:
    """A game whose D takes all images for real."""
    gan: Any = make(name, augment="ada", **options)
    judge = gan.judge
    gan.judge = lambda image, label: judge(image, label) + 50
    return gan


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("target", "kimg", "moved"), [(0.6, 0.1, 0.32), (0.6, 0.2, 0.16), (1.0, 0.1, 0.0)])
def test_p_moves_after_four_turns_of_d_and_is_logged(name: str, target: float, kimg: float, moved: float) -> None:
    gan = sure(name, ada_target=target, ada_kimg=kimg)
    players, logs, found = gan.players(), [], []
    for step in range(5):
        logs.append(play_step(gan, players, [feed(gan).at(0)], Clock(step, 8 * step, 1000)))
        found.append(float(gan.augmentation.ada.p))
    assert found == pytest.approx([0, 0, 0, moved, moved])
    assert [float(log["D/augment_p"]) for log in logs] == pytest.approx([0, 0, 0, 0, moved])
    assert [float(log["D/r_t"]) for log in logs] == [1] * 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("logit", "r_t"), [(2.0, 1.0), (-2.0, -1.0)])
def test_r_t_is_the_mean_sign_of_the_logits_of_real_images(name: str, logit: float, r_t: float) -> None:
    gan: Any = make(name)
    batch = feed(gan).at(0)

    def judge(image: Tensor, label: Tensor) -> Tensor:
        """Rate real images, which have no graph and no noise, as asked, and fakes the other way."""
        real = torch.equal(image, batch.image) or len(image) != len(batch.image)
        return image.flatten(1).sum(1) * 0 + (logit if real else -logit)

    gan.judge, gan.reals = judge, lambda image, now: image
    turn = next(iter(gan.play(batch, Clock(0, 0, 1000))))
    assert turn.player == "D"
    assert turn.stats["r_t"] == r_t
    assert "augment_p" not in turn.stats


@pytest.mark.parametrize("name", NAMES)
def test_a_fixed_p_stays(name: str) -> None:
    gan: Any = make(name, augment="ada", ada_p=0.5)
    steps(gan, gan.players(), EMA(gan), 5)
    assert gan.augmentation.ada.p == 0.5


def test_a_run_stopped_between_two_changes_of_p_goes_on_bit_for_bit(tmp_path: Path) -> None:
    def built() -> tuple[Any, Any, EMA]:
        gan = sure("stylegan2", ada_kimg=0.1)
        return gan, gan.players(), EMA(gan)

    whole, first, resumed = built(), built(), built()
    steps(*whole, 9)
    clock = steps(*first, 6)
    assert first[0].augmentation.ada.turns == 2
    hp, spec = dataclasses.asdict(first[0].hp), dataclasses.asdict(first[0].spec)
    file = tmp_path / "c.safetensors"
    checkpoint.save(file, checkpoint.About("stylegan2", hp, spec, dataclasses.asdict(clock), {}, {}), *first)
    steps(*resumed, 3, checkpoint.restore(file, *resumed))
    assert whole[0].augmentation.ada.p == pytest.approx(2 * 4 * 8 / 100)
    own, other = whole[0].state_dict(), resumed[0].state_dict()
    assert [name for name in own if not torch.equal(own[name], other[name])] == []


@pytest.mark.parametrize(("name", "lacks"), [("stylegan2", True), ("stylegan3", True), ("r3gan", False)])
def test_a_run_of_a_version_in_which_p_adapted_nowhere_goes_on(
    cli: Cli, pictures: Path, name: str, lacks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = [*("--width", 4, "--z-dim", 6, "--batch", 4), *(("--w-dim", 6, "--channel-base", 64) if lacks else ())]
    command = ("train", name, "--data", pictures, "--size", 16, *tiny, "--preset", "paper", "--metrics", "none")
    command = (*command, "--steps", 4, "--out", "run")
    chosen = ("--augment", "none" if lacks else "ada")
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_stopped", lambda self: self.state.clock.step >= 2)
        assert cli(*command, *chosen).code == 0
    about = json.loads(Path("run/run.json").read_text())
    for option in ("augment", "ada", "ada_p", "ada_target", "ada_kimg") if lacks else ():
        about["hparams"].pop(option, None)
        about["suited"].pop(option, None)
    Path("run/run.json").write_text(json.dumps(about))
    result = cli(*command, "--resume")
    assert result.code == 0, result.err
    last = max(Path("run/checkpoints").iterdir())
    held = {key for key in checkpoint.names(last, "gan") if key.startswith("augmentation")}
    assert held == (set() if lacks else {"augmentation.ada.p"})
