"""Convert images between uint8 and the float32 in [-1, 1] that networks use."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Pixels = NDArray[np.uint8]  # (N, H, W, C)
GAP = 2  # pixels between the images of a grid
SMALL = 32  # images with a shorter side than this are enlarged in grids, by whole factors


def to_floats(pixels: Tensor) -> Tensor:
    """Scale values in [0, 255] of any type to new float32 in [-1, 1], on their device and in their memory layout."""
    return pixels.to(torch.float32, copy=True).div_(127.5).sub_(1)


def to_levels(images: Tensor) -> Tensor:
    """Scale values in [-1, 1] to float32 in [0, 255], which are not rounded."""
    return images.detach().float().add(1).mul(127.5)


def to_bytes(images: Tensor) -> Tensor:
    """Round values in [-1, 1] to uint8; values outside the range are clipped."""
    return to_levels(images).round().clamp(0, 255).to(torch.uint8)


def to_pixels(images: Tensor) -> Pixels:
    """Round images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C); values outside the range are clipped."""
    return to_bytes(images).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_nvlabs_pixels(images: Tensor) -> Pixels:
    """Convert images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C) as the scripts of NVlabs do, which do not round."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


class Canvas:
    """A PIL image that is filled from top to bottom: the floats of a large one would take gigabytes."""

    def __init__(self, width: int, height: int) -> None:
        self._size, self._top = (width, height), 0
        self.picture = Image.new("L", (0, 0))

    def add(self, image: Tensor, rows: int = 256) -> None:
        """Convert the next rows (1, C, H, W) in [-1, 1], some at a time."""
        for strip in image.split(rows, 2):
            part = to_picture(to_pixels(strip)[0])
            if self._top == 0:
                self.picture = Image.new(part.mode, self._size)
            self.picture.paste(part, (0, self._top))
            self._top += part.height


def painted(image: Tensor) -> Image.Image:
    """Convert one image (1, C, H, W) in [-1, 1] to a PIL image."""
    canvas = Canvas(image.shape[3], image.shape[2])
    canvas.add(image)
    return canvas.picture


def to_picture(pixels: Pixels) -> Image.Image:
    """Convert one image (H, W, C) with 1, 3 or 4 channels to a PIL image."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def grid(pixels: Pixels, columns: int | None = None) -> Image.Image:
    """Lay images out in rows of `columns` (by default as square as possible), on white with gaps between them."""
    count, height, width, channels = pixels.shape
    columns = columns_of(count, columns)
    rows = -(-count // columns)
    zoom = max(1, SMALL // min(height, width))
    pixels = pixels.repeat(zoom, 1).repeat(zoom, 2)
    cell = height * zoom + GAP, width * zoom + GAP
    sheet = np.full((rows * cell[0] + GAP, columns * cell[1] + GAP, channels), 255, np.uint8)
    for i, image in enumerate(pixels):
        top, left = (GAP + place * side for place, side in zip(divmod(i, columns), cell))
        sheet[top : top + height * zoom, left : left + width * zoom] = image
    return to_picture(sheet)


def columns_of(count: int, columns: int | None = None) -> int:
    """Return how many columns the grid of some images has; by default it is as square as possible."""
    return min(columns or int(np.ceil(np.sqrt(count))), count)


def grey_to_colour(images: Tensor) -> Tensor:
    """Convert images (N, C, H, W) of 1, 3 or 4 channels to (N, 3, H, W); alpha is composited on white.

    They are uint8, or of any other type with values in [0, 255], which are not rounded.
    """
    if images.shape[1] == 4:
        colour, alpha = images[:, :3].float(), images[:, 3:].float() / 255
        blend = colour * alpha + 255 * (1 - alpha)
        return blend if images.is_floating_point() else (blend + 0.5).to(torch.uint8)
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
