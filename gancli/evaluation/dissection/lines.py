"""The report of a dissection as lines of text."""

from collections.abc import Iterator
from typing import Any

from gancli.system.untrusted.terminal import aligned

MOST_CONCEPTS = 8  # of a layer; the JSON report has all


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Return tables: per layer, the unit that matches each concept best, and what changing units does."""
    said = report["protocol"]
    read, images = said["generated"]["read"], said["generated"]["images"]
    for name, layer in report["dissection"].items():
        yield f"{name}  {layer['size']}: {layer['matched']} of {len(layer['units'])} units detect a concept"
        matches = [["", "unit no.", "IoU", "IQR"], *(_match(row) for row in layer["concepts"][:MOST_CONCEPTS])]
        yield from (f"  {line}" for line in aligned(matches))
        rows = [_effect(effect) for effect in layer["effects"]]
        areas = ["area of", "units", "ablated", "random", "inserted", "random"]
        changes = ["change, 0-255", "units", "ablated: inside", "outside", "random: inside", "outside"]
        heading = areas if "before" in layer["effects"][0]["ablation"] else changes
        yield from (f"  {line}" for line in aligned([heading, *rows]))
    yield f"concepts of {said['concepts']}, known for {read:,} of {images:,} images; {said['matched']}"


def _match(row: dict[str, Any]) -> list[str]:
    return [row["concept"], str(row["index"]), f"{row['iou']:.3f}", f"{row['iqr']:.3f}"]


def _effect(effect: dict[str, Any]) -> list[str]:
    first = [effect["concept"], str(len(effect["units"]))]
    off, on = effect["ablation"], effect["insertion"]
    if "before" not in off:
        return [*first, *(f"{value:.1f}" for value in off.values())]
    return [*first, *(_change(arm, part) for arm in (off, on) for part in ("after", "control"))]


def _change(arm: dict[str, float], part: str) -> str:
    return f"{arm['before']:.1%} -> {arm[part]:.1%}"
