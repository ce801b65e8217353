"""TensorBoard and W&B show what metrics.jsonl says, however often a run was stopped, and never stop it themselves."""

import io
import json
import logging
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from gancli.training.loggers import table
from gancli.training.loggers.logger import Loggers, Past
from gancli.training.loop import Training
from gancli.training.options import RunOptions
from gancli.training.output import next_steps
from tests.conftest import Cli
from tests.training.test_processes import run
from tests.training.test_resuming import QUICK

ABOUT = {"variant": "gan", "hparams": {"lr": 0.1}, "data": "x", "seed": 0, "precision": "fp32", "versions": {}}
Shown = dict[tuple[int, str], float]  # number by step and name


def written(run: Path) -> Shown:
    """What metrics.jsonl says, in the precision of TensorBoard."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {(t["step"], name): float(np.float32(value)) for t in lines for name, value in t.items() if name != "step"}


def events_of(run: Path) -> tuple[Shown, dict[int, np.ndarray]]:
    """What TensorBoard shows: its numbers, and its images by step; nothing may be there twice."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(run / "tensorboard"), {"scalars": 0, "images": 0})
    found.Reload()
    events = [(event.step, tag, event.value) for tag in found.Tags()["scalars"] for event in found.Scalars(tag)]
    shown = {(step, tag): value for step, tag, value in events}
    assert len(shown) == len(events)
    images = found.Images("samples") if found.Tags()["images"] else []
    assert len({image.step for image in images}) == len(images)
    return shown, {image.step: decoded(image.encoded_image_string) for image in images}


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def grids(run: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted((run / "samples").iterdir())]


def train(cli: Cli, *options: object) -> Any:
    result = cli("train", "gan", "--data", "pictures", *QUICK, "--out", "x", *options)
    assert result.code == 0, result.err
    return result


# ---------------------------------------------------------------------------------------------------- tensorboard


@pytest.fixture
def tensorboard() -> None:
    pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("tensorboard", "pictures")
def test_tensorboard_shows_what_the_log_says(cli: Cli) -> None:
    options = ("--steps", 8, "--metrics", "none", "--log", "tensorboard")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "_stopped", lambda self: self.state.clock.step >= 5)
        assert "tensorboard --logdir x/tensorboard" in train(cli, *options).out
    shown, images = events_of(Path("x"))
    assert shown == written(Path("x"))
    assert {step for step, _ in shown} == {1, 2, 3, 4, 5}
    train(cli, *options, "--resume")
    shown, images = events_of(Path("x"))
    assert shown == written(Path("x"))
    assert [*images] == [0, 5, 8]
    assert all((image == grid).all() for image, grid in zip(images.values(), grids(Path("x"))))


@pytest.mark.usefixtures("tensorboard", "pictures")
def test_a_run_that_had_no_log_gets_its_numbers_so_far(cli: Cli) -> None:
    train(cli, "--steps", 3, "--metrics", "none")
    assert not Path("x/tensorboard").exists()  # off by default
    train(cli, "--steps", 5, "--metrics", "none", "--log", "tensorboard", "--resume")
    assert events_of(Path("x"))[0] == written(Path("x"))


@pytest.mark.usefixtures("tensorboard")
def test_what_is_evaluated_again_is_shown_once(cli: Cli) -> None:
    words = ("train", "wgan-gp", "--data", "ring8", "--steps", 2, "--batch", 4, "--width", 4, "--eval-every", 0.004)
    assert cli(*words, "--out", "x", "--log", "tensorboard").code == 0
    assert cli(*words, "--out", "x", "--log", "tensorboard", "--resume").code == 0
    assert events_of(Path("x"))[0] == written(Path("x"))


class Life:
    """A run that logs, evaluates, crashes, is resumed, or goes back to a checkpoint within its process."""

    def __init__(self, run: Path) -> None:
        self.run, self.step, self.value, self.log = run, 0, count(), list[dict[str, Any]]()
        self.returned = False  # then training goes on for a step before it logs anything
        self.resume(0)

    def tick(self, _: int) -> None:
        self.step, self.returned = self.step + 1, False
        self.tell({"step": self.step, "loss": float(next(self.value))})

    def grid(self, _: int) -> None:
        self.step, self.returned = self.step + self.returned, False
        self.logger.grid(self.step, Image.new("RGB", (4, 4), (next(self.value), 0, 0)))

    def scores(self, _: int) -> None:
        if self.log and self.log[-1]["step"] == self.step and not self.returned:
            self.log = [t for t in self.log if (t["step"], t.keys()) != (self.step, {"step", "fid"})]
            self.tell({"step": self.step, "fid": float(next(self.value))})

    def tell(self, tick: dict[str, Any]) -> None:
        self.log.append(tick)
        self.logger.log(tick)

    def back(self, steps: int) -> None:
        self.lose(steps)
        self.logger.back(self.step)

    def lose(self, steps: int) -> None:
        self.step, self.returned = max(0, self.step - steps), True
        self.log = [tick for tick in self.log if tick["step"] <= self.step]

    def crash(self, steps: int) -> None:
        self.lose(steps)
        self.resume(0)

    def resume(self, _: int) -> None:
        self.returned = False
        [self.logger] = table.made(["tensorboard"], self.run, ABOUT)
        self.logger.begin(Past(self.step, self.log))


ACTS = st.lists(
    st.tuples(st.sampled_from(["tick", "tick", "grid", "scores", "resume", "crash", "back"]), st.integers(0, 3)),
    max_size=25,
)


@pytest.mark.usefixtures("tensorboard")
@settings(max_examples=10)
@given(ACTS)
@example([("tick", 0), ("tick", 0), ("back", 1), ("tick", 0)])
@example([("tick", 0), ("scores", 0), ("resume", 0), ("scores", 0)])
@example([("tick", 0), ("back", 1), ("grid", 0)])
def test_whatever_happens_to_a_run_nothing_is_shown_twice(tmp_path_factory: pytest.TempPathFactory, acts: Any) -> None:
    """Crashes lose the end of the log, but not that of TensorBoard."""
    from tensorboard.summary.writer import event_file_writer

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of what it drops
    clock = count(10**9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_file_writer.time, "time", lambda: next(clock))  # files are read in the order of their names
        life = Life(tmp_path_factory.mktemp("run"))
        for act, steps in acts:
            getattr(life, act)(steps)
        life.logger.end()
    expected = {(tick["step"], name): tick[name] for tick in life.log for name in tick if name != "step"}
    shown = events_of(life.run)[0]
    assert shown.items() >= expected.items()
    assert all(step > life.step for step, name in shown.keys() - expected.keys()), "only what is to be trained again"


# ------------------------------------------------------------------------------------------------------------ wandb


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """W&B without a network."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    theirs = pytest.importorskip("wandb")
    yield
    theirs.teardown()


def history(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of an offline run: records of protobuf in the format of LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportAttributeAccessIssue]  generated

    [file] = folder.glob("*.wandb")
    data, rows, place, whole = file.read_bytes(), [], 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(whole)
            if record.HasField("history"):
                rows.append({(i.key or i.nested_key[0]): json.loads(i.value_json) for i in record.history.item})
            whole = b""
    return rows


@pytest.mark.usefixtures("wandb", "pictures")
def test_wandb_shows_what_the_log_says_offline(cli: Cli) -> None:
    options = ("--steps", 6, "--metrics", "none", "--log", "wandb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "_stopped", lambda self: self.state.clock.step >= 4)
        assert "wandb sync x/wandb/offline-run-" in train(cli, *options).out
    train(cli, *options, "--resume")
    folders = sorted(Path("x/wandb").glob("offline-run-*"))
    assert len({folder.name[-8:] for folder in folders}) == 1  # one run of W&B
    assert cli("check", "x") == (0, "x: no faults found\n", "")  # though W&B makes links
    rows = [row for folder in folders for row in history(folder)]
    shown = {(row["_step"], name): value for row in rows for name, value in row.items() if name[0] != "_"}
    numbers = {key: value for key, value in shown.items() if key[1] != "samples"}
    assert numbers.keys() == written(Path("x")).keys()
    assert {key: float(np.float32(value)) for key, value in numbers.items()} == written(Path("x"))
    assert [row["_step"] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert [step for step, name in shown if name == "samples"] == [0, 4, 6]


@pytest.mark.usefixtures("pictures")
def test_wandb_never_asks_for_a_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = pytest.importorskip("wandb")
    monkeypatch.setattr(theirs, "login", lambda **options: False if options == {"prompt": False} else 1 / 0)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    refused = cli("train", "gan", "--data", "pictures", "--log", "wandb", "--out", "x")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert "wandb login" in refused.err
    assert not Path("x").exists()


# -------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("name", table.NAMES)
def test_a_missing_package_is_one_line_before_training(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(table, "find_spec", lambda _: None)
    refused = cli("train", "gan", "--log", name, "--out", "x")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert f'pip install "gancli[{name}]"' in refused.err
    assert not Path("x").exists()


def test_an_unknown_logger_is_one_line(cli: Cli) -> None:
    refused = cli("train", "gan", "--log", "mlflow", "--out", "x")
    assert (refused.code, refused.err) == (2, "gancli: --log mlflow: unknown logger; give tensorboard or wandb\n")


class Broken:
    """Fails at a method."""

    name, folder = "broken", Path("nowhere")

    def __init__(self, fails: str) -> None:
        self.fails, self.told = fails, list[str]()

    def __getattr__(self, method: str) -> Any:
        def act(*_: object) -> str:
            self.told.append(method)
            if method == self.fails:
                raise ValueError("no\nroom")
            return "shown"

        return act


@pytest.mark.parametrize("fails", ["begin", "log", "grid", "end"])
def test_a_logger_that_fails_is_left_out_with_one_warning(fails: str) -> None:
    broken, well, notes = Broken(fails), Broken("nothing"), list[str]()
    loggers: Any = Loggers([broken, well], notes.append)  # type: ignore[list-item]
    for _ in range(2):
        loggers.begin(Past(0, []))
        loggers.log({"step": 1})
        loggers.grid(1, Image.new("L", (1, 1)))
        loggers.end()
    warnings = [note for note in notes if note.startswith("warning")]
    assert len(warnings) == 1
    assert "--log broken failed (no room): training continues" in warnings[0]
    assert broken.told.count(fails) == 1
    assert well.told == ["begin", "log", "grid", "end"] * 2


@pytest.mark.usefixtures("tensorboard", "pictures")
def test_training_goes_on_without_its_logger(cli: Cli, tmp_path: Path) -> None:
    """A link in the run folder leads nowhere."""
    Path("x").mkdir()
    Path("elsewhere").mkdir()
    Path("x/tensorboard").symlink_to(tmp_path / "elsewhere")
    out = train(cli, "--steps", 2, "--metrics", "none", "--log", "tensorboard").out
    assert "warning   --log tensorboard failed (x/tensorboard is a link" in out
    assert list(Path("elsewhere").iterdir()) == []
    assert Path("x/checkpoints/000000008.safetensors").is_file()


@pytest.mark.processes
@pytest.mark.usefixtures("tensorboard", "pictures")
def test_only_the_first_process_logs(cli: Cli) -> None:
    done = run(2, "gan", "--data", "pictures", *QUICK, "--precision", "fp32", "--steps", 2, "--metrics", "none",
               "--log", "tensorboard", "--out", "x")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len([*Path("x/tensorboard").iterdir()]) == 1
    assert events_of(Path("x"))[0] == written(Path("x"))


def test_a_log_is_repeated_where_a_run_says_how_it_is_resumed() -> None:
    said = next_steps.resume("gan", {}, RunOptions(log=["tensorboard", "wandb"]), Path("x"))
    assert "--log tensorboard --log wandb" in said
