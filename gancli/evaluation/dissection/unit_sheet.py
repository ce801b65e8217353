"""A sheet of units: the images in which each is most active, and what ablation and insertion do to images."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from gancli.evaluation.dissection.dissected import Dissected
from gancli.evaluation.dissection.effects import Effect
from gancli.evaluation.dissection.layers import generated, recorded
from gancli.evaluation.dissection.survey import Survey, interpolated, to_shown
from gancli.gan import GAN

IMAGES = 6  # in a block
EFFECTS = 2  # concepts of a layer whose effects are shown
CELL, GAP, CAPTION, TITLE = 64, 2, 150, 26  # pixels
WIDTH = CAPTION + IMAGES * (CELL + GAP) + 4 * GAP
DIMMED = 0.65  # towards grey, where a unit does not fire


class Block(NamedTuple):
    """A caption beside a row of images, uint8 (N, 3, CELL, CELL)."""

    caption: str
    images: Tensor


@torch.no_grad()
def picture(gan: GAN[Any], seen: Survey, found: list[Dissected]) -> Image.Image:
    """Show, for each layer, its best units and the effects of the best concepts; two blocks stand beside each other."""
    parts = [(_title(part), list(_blocks(gan, seen, part))) for part in found]
    heights = [TITLE + -(-len(blocks) // 2) * (CELL + GAP) for _, blocks in parts]
    sheet = Image.new("RGB", (2 * WIDTH, sum(heights) + 4 * GAP), "white")
    top = 0
    for (title, blocks), height in zip(parts, heights):
        ImageDraw.Draw(sheet).text((2 * GAP, top + 6), title, "black", ImageFont.load_default(14))
        for i, block in enumerate(blocks):
            _paste(sheet, block, i % 2 * WIDTH, top + TITLE + i // 2 * (CELL + GAP))
        top += height
    return sheet


def _title(part: Dissected) -> str:
    layer = part.layer
    return f"{layer.name}: {layer.units} units of {layer.width}x{layer.height}, {part.matched} detect a concept"


def _paste(sheet: Image.Image, block: Block, left: int, top: int) -> None:
    ImageDraw.Draw(sheet).text((left + 2 * GAP, top + 2), block.caption, "black", ImageFont.load_default(12))
    for i, image in enumerate(block.images):
        opened = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
        sheet.paste(opened, (left + CAPTION + i * (CELL + GAP), top))


def _blocks(gan: GAN[Any], seen: Survey, part: Dissected) -> Iterator[Block]:
    of_unit = {unit: concept for concept, unit in reversed(part.best)}  # its best concept
    best = [(concept, unit) for concept, unit in part.best if of_unit[unit] == concept][: 2 * EFFECTS]
    yield from (_unit(gan, seen, part, concept, unit) for concept, unit in best)
    if len(best) % 2:
        yield Block("", torch.empty(0))
    for effect in part.effects[:EFFECTS]:
        yield from _effect(effect)


def _unit(gan: GAN[Any], seen: Survey, part: Dissected, concept: str, unit: int) -> Block:
    """Show the images in which a unit is most active; where it does not fire they are grey."""
    top = torch.cat(part.tally.peaks)[:, unit].topk(min(IMAGES, len(seen.z))).indices
    with recorded(gan, [part.layer]) as maps:
        images = _cells(to_shown(generated(gan, seen.z[top])))
    scores = part.scores(concept, unit)
    fires = interpolated(maps[part.layer.name][:, unit : unit + 1], (CELL, CELL)).cpu() > scores["threshold"]
    caption = f"unit {unit}\n{_short(concept)}\nIoU {scores['iou']:.2f}, IQR {scores['iqr']:.2f}"
    return Block(caption, _outlined(images, fires))


def _outlined(images: Tensor, fires: Tensor) -> Tensor:
    """Dim images (N, 3, H, W) where a unit does not fire (N, 1, H, W), and draw a white line around where it does."""
    dimmed = torch.lerp(images.float(), torch.full((), 128.0), DIMMED)
    grown = F.max_pool2d(fires.float(), 3, 1, 1) > 0
    return torch.where(fires, images.float(), torch.where(grown, 255.0, dimmed)).byte()


def _effect(effect: Effect) -> Iterable[Block]:
    """Show images before and after, and with random units; ablation on the left, insertion on the right."""
    count = len(effect.units)
    units = f"{count} unit{'s' * (count > 1)}"
    said = {
        "before": ("most " + _short(effect.concept), "least " + _short(effect.concept)),
        "after": (f"{units} ablated", f"{units} inserted"),
        "control": (f"{count} random ablated", f"{count} random inserted"),
    }
    for arm, captions in said.items():
        for caption, kind, numbers in zip(captions, ("ablation", "insertion"), (effect.ablation, effect.insertion)):
            shown = f"\narea {numbers[arm]:.1%}" if arm in numbers else ""
            yield Block(caption + shown, _cells(getattr(effect.shown[kind], arm)[:IMAGES]))


def _short(concept: str) -> str:
    return concept if len(concept) <= 16 else f"{concept[:15]}…"


def _cells(images: Tensor) -> Tensor:
    """Fit uint8 images (N, 3, H, W) into cells, on white: small ones by whole factors."""
    height, width = images.shape[2:]
    scale = CELL / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    mode = "nearest" if scale >= 1 else "area"
    fitted = F.interpolate(images.float(), size, mode=mode)
    return F.pad(fitted, (0, CELL - size[1], 0, CELL - size[0]), value=255.0).round().byte()
