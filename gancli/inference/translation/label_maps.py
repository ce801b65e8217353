"""Maps of labels: grey images, whose values are the labels."""

from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from gancli.capabilities import DrawsLabels
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.images.pixels import painted
from gancli.inference.translation import tiles
from gancli.inference.translation.pipeline import Draw


def drawing(gan: DrawsLabels, size: str | None) -> Draw:
    """Return the function that generates an image from a map of labels, whole: no tile knows what is beyond it."""
    if size is not None:
        raise UserError("--size would mix the labels of a map: resize it yourself, without interpolation")
    device = cast(GAN[Any], gan).device

    @torch.inference_mode()
    def draw(picture: Image.Image) -> Image.Image:
        label = read(picture, gan.labels)
        planes = to_planes(label, gan.labels, gan.edges).to(device)
        padded = tiles.pad(planes, gan.multiple)
        return painted(gan.draw(padded)[:, :, : label.shape[0], : label.shape[1]])

    return draw


def read(picture: Image.Image, labels: int) -> Tensor:
    """Read the labels (H, W) of a grey image; raise UserError for colours, and for labels that the model lacks."""
    channels = np.asarray(picture.convert("RGB"))
    if (channels != channels[..., :1]).any():
        raise UserError("it has colours: a map of labels is a grey image, whose values are the labels")
    if channels.max() >= labels:
        raise UserError(f"it has the label {channels.max()}, but the model knows 0 to {labels - 1}")
    return torch.from_numpy(channels[..., 0].astype(np.int64))


def to_planes(label: Tensor, labels: int, edges: bool) -> Tensor:
    """Encode labels (H, W) as one-hot planes (1, labels, H, W), and one of edges between labels if asked."""
    planes = F.one_hot(label, labels).permute(2, 0, 1).float()
    return torch.cat([planes, between(label)[None]])[None] if edges else planes[None]


def between(label: Tensor) -> Tensor:
    """Return 1 for pixels with a neighbour of another label to the left, right, above or below, (H, W)."""
    found = torch.zeros(label.shape, dtype=torch.bool)
    across, down = label[:, 1:] != label[:, :-1], label[1:] != label[:-1]
    for part, differs in ((found[:, 1:], across), (found[:, :-1], across), (found[1:], down), (found[:-1], down)):
        part |= differs
    return found.float()
