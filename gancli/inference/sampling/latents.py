"""Saved latents and directions: small safetensors files, which may come from others.

One tensor, in float32: z (Z,), the styles w (1, W) of all layers, or those of every layer, w+ (L, W). Metadata: one
JSON object under "gancli-latent", see `SavedAbout`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import torch
from msgspec import Meta
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gancli.capabilities import Samples
from gancli.checkpoints.find import Model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference.sampling.styles import is_styled, styles_of
from gancli.system import atomic
from gancli.system.seeds import aside
from gancli.system.untrusted.door import check_regular, parse_json, printable, reading, to_json
from gancli.system.untrusted.names import expanded
from gancli.system.untrusted.terminal import warn

SUFFIX = ".latent"
KEY, TENSOR, FORMAT = "gancli-latent", "latent", 1
LARGEST = 2**24  # bytes: a hundred times what the largest models need
LARGEST_VALUE = 1e6  # squares of larger numbers would overflow in half precision, and no model gives them

Space = Literal["z", "w", "w+"]
Word = Annotated[str, Meta(max_length=4096)]


@dataclass(frozen=True)
class SavedAbout:
    """The metadata of a saved latent or direction."""

    space: Space
    variant: Word
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]  # of the checkpoint
    kind: Literal["latent", "direction"] = "latent"
    source: Word = ""  # the image, or how the direction was found
    error: Annotated[float, Meta(ge=0)] | None = None  # root mean square over pixels, which go from 0 to 1
    layers: Annotated[list[Annotated[int, Meta(ge=0, lt=1000)]], Meta(max_length=1000)] | None = None
    format: Literal[1] = FORMAT


def save(path: Path, values: Tensor, about: SavedAbout) -> None:
    """Write a latent (Z,), (1, W) or (L, W)."""
    tensors = {TENSOR: values.detach().cpu().float().contiguous().clone()}
    with atomic.replacing(path) as temporary:
        save_file(tensors, temporary, metadata={KEY: to_json(asdict(about))})


def load(path: Path, gan: GAN[Any], model: Model, kind: str = "latent") -> tuple[Tensor, SavedAbout]:
    """Read a latent as (1, Z) or (1, L, W); raise UserError if it is damaged, or does not fit the model.

    It may have been found for another checkpoint, such as the one that a model was fine-tuned from: warn of that.
    """
    values, about = _read(expanded(path))
    if about.kind != kind:
        raise UserError(f"{path} holds a {about.kind}, but a {kind} is expected here")
    if tuple(values.shape) != (expected := _shape(gan, about.space)):
        found = "x".join(map(str, values.shape))
        wanted = "x".join(map(str, expected)) if expected else "none, as it has no styles"
        raise UserError(
            f"{path} holds {found} numbers in {about.space}, but {model.about.variant} takes {wanted}: give a {kind} "
            "that was found for this model"
        )
    if about.sha256 != model.fingerprint:
        warn(f"{path} was found for another checkpoint ({about.sha256}): the image may differ")
    layers = cast(Any, gan).style_layers if about.space == "w" else -1
    return (values[None] if about.space == "z" else values.expand(layers, -1)[None].clone()), about


def _read(path: Path) -> tuple[Tensor, SavedAbout]:
    check_regular(path)
    with reading(str(path)):
        if (size := path.stat().st_size) > LARGEST:
            raise ValueError(f"it has {size:,} bytes; a saved latent has at most {LARGEST:,}")
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(KEY)
            if text is None or list(file.keys()) != [TENSOR]:
                raise ValueError("it is not a latent that gancli saved")
            about, values = parse_json(text, SavedAbout), file.get_tensor(TENSOR)
        _check_values(values)
    return values, about


def _check_values(values: Tensor) -> None:
    if values.dtype != torch.float32:
        raise ValueError(f"its numbers are {printable(str(values.dtype))}, not float32")
    if not (values.abs() <= LARGEST_VALUE).all():
        raise ValueError(f"it holds numbers that are not finite, or above {LARGEST_VALUE:,.0f}")


def _shape(gan: GAN[Any], space: Space) -> tuple[int, ...] | None:
    """Return the shape of a saved latent of a model; None if the model has no such space."""
    with aside("shape"):
        z = cast(Samples, gan).prior(1)
    if space == "z":
        return tuple(z.shape[1:])
    if not is_styled(gan):
        return None
    w = styles_of(gan, z)
    return (1 if space == "w" else w.shape[1], w.shape[2])
