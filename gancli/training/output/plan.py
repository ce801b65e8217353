"""The training plan: what will happen, before the first step, for people and for scripts."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gancli import registry
from gancli.checkpoints import fine_tuning
from gancli.checkpoints.fine_tuning import Start
from gancli.checkpoints.run_folder import Folder, seen
from gancli.data.dataset import Dataset
from gancli.engine.precision import Choice
from gancli.engine.step import apart_in_parts
from gancli.system import dist
from gancli.system.progress import duration
from gancli.training.length import Length
from gancli.training.output import plan_warnings
from gancli.training.output.display import Quiet
from gancli.training.setup import preset_name
from gancli.training.state import State


@dataclass(frozen=True)
class Plan:
    """What a run will do."""

    about: dict[str, Any]  # the content of run.json
    choice: Choice
    state: State
    dataset: Dataset[Any]
    folder: Folder
    newest: Path | None  # the checkpoint that training continues from
    length: Length
    start: Start | None = None  # the checkpoint whose weights the run begins with

    def tell(self, display: Quiet) -> None:
        """Print the plan."""
        notes = fine_tuning.notes(self.start, self.state.gan) if self.start else ()
        warned = (("warning", text) for text in self._warnings())
        for name, text in [*self._data(), *self._machine(), *self._length(), *(("", note) for note in notes), *warned]:
            display.note(f"{name:<10}{text}")

    def to_json(self) -> dict[str, Any]:
        """Return the plan for scripts; times and memory are null if they were not measured."""
        gan, total, cost = self.state.gan, self.state.clock.total, self.length.cost
        return {
            "variant": self.about["variant"],
            "data": {"name": self.dataset.name, "images": len(self.dataset), "notes": list(self.dataset.notes)},
            "image": dataclasses.asdict(self.dataset.spec),
            "parameters": {name: count for name, net in gan.named_children() if (count := _count(net))},
            "preset": dict(self.about["suited"]),
            "preset_name": self._preset,
            "from": self.about["start"] and self.about["start"]["path"],
            "freeze_d": self.about["freeze_d"],
            "hparams": self.about["hparams"],
            "device": self.about["device"],
            "threads": torch.get_num_threads() if self.about["device"] == "cpu" else None,
            "precision": self.about["precision"],
            "precision_chosen": str(self.choice),
            "processes": dist.world(),
            "micro_batches": self.about["options"]["accumulate"],
            "minutes": self.length.measured and self.length.measured.minutes,
            "images": total,
            "steps": self._steps,
            "epochs": total / len(self.dataset),
            "images_per_second": cost and gan.hp.batch / cost.seconds,
            "seconds": self._seconds,
            "memory_bytes": (cost and cost.memory) or None,
            "run": str(self.folder.path),
            "resumed": self.newest and str(self.newest),
            "warnings": list(self._warnings()),
        }

    def _warnings(self) -> Iterator[str]:
        """Yield what is known to fail; nothing if the run is resumed, which was warned of it."""
        if self.newest:
            return
        about, gan = self.about, self.state.gan
        yield from plan_warnings.of_data(
            about["data"], self.dataset, about["variant"], fine_tuned=self.start is not None
        )
        if torch.device(about["device"]).type == "cpu":
            yield from plan_warnings.of_length(gan, self.state.clock.total, self._seconds, self._preset)

    def _data(self) -> list[tuple[str, str]]:
        variant, dataset, spec = self.about["variant"], self.dataset, self.dataset.spec
        default = variant == registry.recommended()
        recommended = " (recommended: gancli list shows the others)" if default else ""
        size = "points" if spec.points else f"{spec.width}x{spec.height}"
        return [
            ("variant", f"{variant}{recommended}"),
            *(
                (("" if i else "data"), f"{'' if i else f'{dataset.name}: '}{note}")
                for i, note in enumerate(dataset.notes)
            ),
            ("image", f"{size}, {spec.channels} channel{'s' * (spec.channels > 1)}"),
        ]

    def _machine(self) -> list[tuple[str, str]]:
        device, suited = self.about["device"], self.about["suited"]
        nets = [(name, _count(net)) for name, net in self.state.gan.named_children()]
        said = ", ".join(f"{name} {value}" for name, value in suited.items()) or "all settings as by default"
        named = f"{self._preset}: " if self._preset else ""
        preset = f"{named}{said} (for this data and device; options override it, --preset chooses quick or the paper's)"
        start, frozen = self.about["start"], self.about["freeze_d"]
        fixed = f"; the first {frozen} layer{'s' * (frozen > 1)} of D stay as they are" if frozen else ""
        begun = [("from", f"{start['path']}, with its hyperparameters{fixed}")] if start else []
        count = torch.get_num_threads()
        threads = f", {count} thread{'s' * (count > 1)}" if device == "cpu" else ""
        ranks = f", {dist.world()} processes" if dist.world() > 1 else ""
        return [
            ("networks", f"{', '.join(f'{name} {count:,}' for name, count in nets if count)} parameters"),
            *(begun or ([("preset", preset)] if suited or self._preset else [])),
            ("device", f"{device}{threads}{ranks}"),
            ("precision", str(self.choice)),
        ]

    def _length(self) -> list[tuple[str, str]]:
        gan, total, length = self.state.gan, self.state.clock.total, self.length
        asked = f"{length.measured.minutes:g} minutes, about " if length.measured else ""
        amount = f"{total / 1000:g} kimg: {_rounded(total / len(self.dataset))} epochs, {self._steps:,} steps"
        start = f", resumed from {self.newest.name}" if self.newest else ""
        return [
            ("length", f"{asked}{amount} of {gan.hp.batch}"),
            *([("time", self._time())] if length.cost else []),
            *self._parts(),
            ("out", f"{self.folder.path}{start}"),
        ]

    def _parts(self) -> list[tuple[str, str]]:
        """Return the row of the micro-batches, if there are several."""
        gan, parts = self.state.gan, self.about["options"]["accumulate"]
        said = f"; {apart}" if (apart := apart_in_parts(gan)) else ""
        row = ("batch", f"{parts} micro-batches of {gan.hp.batch // (parts * dist.world())}{said}")
        return [row] if parts > 1 else []

    def _time(self) -> str:
        """Format how long training will take, and the memory."""
        cost, batch = self.length.cost, self.state.gan.hp.batch
        assert cost
        rate, memory = batch / cost.seconds, f"; {cost.memory / 2**30:.2g} GiB of memory" if cost.memory else ""
        memory += ", without torch.compile" if self.about["options"]["compile"] == "on" else ""
        return f"about {duration(self._images_left / rate)} at {rate:,.{0 if rate > 9 else 2}f} images/s{memory}"

    @property
    def _preset(self) -> str | None:
        """Return the name of the preset; None for a run that keeps the settings of another."""
        if self.newest or self.start:
            return None
        spec, device = self.dataset.spec, torch.device(self.about["device"])
        return preset_name(self.about["options"]["preset"], device.type, spec.height, spec.width)

    @property
    def _seconds(self) -> float | None:
        """Return how long training will take, if that was measured."""
        cost = self.length.cost
        return cost and self._images_left / self.state.gan.hp.batch * cost.seconds

    @property
    def _steps(self) -> int:
        return math.ceil(self.state.clock.total / self.state.gan.hp.batch)

    @property
    def _images_left(self) -> int:
        return self.state.clock.total - (seen(self.newest) if self.newest else 0)


def _rounded(number: float) -> str:
    """Format a number with three digits, or without a fraction."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
