"""TensorBoard, through the writer of torch. Files of a resumed run are read as one, without what was trained twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]  generated
from torch.utils.tensorboard import SummaryWriter

from gancli.training.loggers.logger import SAMPLES, STEP, Past, numbers

Entry = float | NDArray[np.uint8]


class TensorBoard:
    """Writes scalars and sample grids into RUN/tensorboard."""

    name = "tensorboard"

    def __init__(self, run: Path, about: Mapping[str, Any]) -> None:
        del about  # TensorBoard shows numbers and images only
        self.folder = run / "tensorboard"
        self._step = 0
        self._entries: dict[str, Entry] = {}  # of this step
        self._writer: SummaryWriter | None = None

    def begin(self, past: Past) -> str:
        """Continue after a step; a run that had no such log gets its numbers so far."""
        new = not any(self.folder.glob("events.out.tfevents.*"))
        for tick in past.ticks if new else ():
            if tick[STEP] < past.step:
                self._write(tick[STEP], numbers(tick))
        self._step, self._entries = past.step, {}
        for tick in past.ticks:
            self._entries |= numbers(tick) if tick[STEP] == past.step else {}
        if past.grid and past.grid.is_file():
            with Image.open(past.grid, formats=("PNG",)) as picture:
                self._entries[SAMPLES] = _pixels(picture)
        self._again()
        return f"tensorboard --logdir {self.folder}"

    def log(self, tick: Mapping[str, Any]) -> None:
        """Log the numbers of a step."""
        self._add(tick[STEP], numbers(tick))

    def grid(self, step: int, picture: Image.Image) -> None:
        """Log the sample grid of a step."""
        self._add(step, {SAMPLES: _pixels(picture)})

    def back(self, step: int) -> None:
        """Drop what was logged after a step."""
        self._step, self._entries = step + 1, {}
        self._again()

    def end(self) -> None:
        """Write what is still in memory."""
        if self._writer:
            self._writer.close()

    def _add(self, step: int, entries: Mapping[str, Entry]) -> None:
        """Add entries, in place of those of the same names of this step, or of steps from which training went back."""
        before = self._entries if step == self._step else {}
        # the scores of a step repeat its time and its number of images
        new = {name: value for name, value in entries.items() if not np.array_equal(before.get(name, np.nan), value)}
        again = step < self._step or bool(new.keys() & before.keys())
        self._step, self._entries = step, {**before, **new}
        if again:
            self._again()
        else:
            self._write(step, new)

    def _again(self) -> None:
        """Write the entries of this step in place of all that was written of it and of later ones."""
        restart = Event(step=self._step, session_log=SessionLog(status=SessionLog.START))
        # readers drop what has this step or a later one
        self._opened()._get_file_writer().add_event(restart, self._step)
        self._write(self._step, self._entries)

    def _write(self, step: int, entries: Mapping[str, Entry]) -> None:
        writer = self._opened()
        for name, entry in entries.items():
            if isinstance(entry, np.ndarray):
                writer.add_image(name, entry, step, dataformats="HWC")
            else:
                writer.add_scalar(name, entry, step)
        writer.flush()

    def _opened(self) -> SummaryWriter:
        self._writer = self._writer or SummaryWriter(self.folder)
        return self._writer


def _pixels(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture.convert("RGB"))
