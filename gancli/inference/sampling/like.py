"""`sample --like`: what an image says of how it was drawn. It may come from anyone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from gancli.checkpoints.find import Model, find_local, find_model
from gancli.errors import UserError
from gancli.images.writing import read_about
from gancli.inference.sampling.sample import SampleRequest
from gancli.system.untrusted.door import held_to, reason

MOST = 10_000  # seeds that an image can ask for


class Provenance(Struct, frozen=True, rename={"of_class": "class"}):
    """What `gancli sample` writes into a PNG."""

    model: Annotated[str, Meta(min_length=1, max_length=4096)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    seeds: Annotated[list[Annotated[int, Meta(ge=0, lt=10**12)]], Meta(min_length=1, max_length=MOST)]
    truncation: Annotated[float, Meta(ge=0, le=1e6)] | None
    columns: Annotated[int, Meta(ge=1, le=MOST)] | None
    of_class: Annotated[str, Meta(max_length=1000)] | None
    bare: bool = False


def repeat(picture: Path, model: str | None, *, best: bool = False) -> SampleRequest:
    """Read from a PNG what to draw to get it again; raises UserError when its model is not there or has changed."""
    about = read_about(picture)
    try:
        said = held_to(about, Provenance)
    except ValueError as error:
        raise UserError(
            f"--like {picture} does not say which seeds drew it, as gancli sample writes: {reason(error)}"
        ) from None
    found = find_model(model, best=best) if model else _named_by(picture, said.model)
    if found.fingerprint != said.sha256:
        raise UserError(
            f"{picture} was drawn by checkpoint {said.sha256}, {found.path} is {found.fingerprint}: name its MODEL"
        )
    return SampleRequest(str(found.path), tuple(said.seeds), said.truncation, said.columns, said.bare, said.of_class)


def _named_by(picture: Path, model: str) -> Model:
    """The model that an image names: a file or run that is here. The image fetches nothing."""
    try:
        return find_local(model)
    except UserError as error:
        raise UserError(f"--like {picture}: the model that drew it cannot be had ({error}): name its MODEL") from None
