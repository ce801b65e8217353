"""The metadata of a checkpoint, and the checks that damaged or hostile files must pass."""

import dataclasses
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from gancli.checkpoints.ticks import Count, Numbers
from gancli.data.spec import DataSpec
from gancli.system.untrusted.door import held_to

FORMAT = 1
MOST = 1024  # pixels per side; a larger number means damage
Share = Annotated[float, Meta(ge=1e-300, le=1)]  # not gt=0, which allows denormal numbers that training treats as zero


class _Clock(TypedDict):
    """The progress of training."""

    step: Count
    images: Count
    total: Count


class _Run(TypedDict, total=False):
    """The fields of `run` that are used; the rest is only shown."""

    data: str
    slower: Share


class _Numbers(TypedDict):
    """The numbers in a file that are used in calculations."""

    clock: _Clock
    run: _Run
    metrics: Numbers


@dataclass(frozen=True)
class About:
    """The metadata of a checkpoint."""

    variant: str
    hparams: dict[str, Any]
    data: dict[str, Any]  # the fields of DataSpec
    clock: dict[str, int]
    run: dict[str, Any]  # seed, precision, versions, name and digest of the data, the factor on the learning rates
    metrics: dict[str, float]
    source: str = ""  # sha256 of a variant that is a .py file of the user
    format: int = FORMAT
    sha256: dict[str, str] = dataclasses.field(default_factory=dict)  # of each part, and of this metadata

    @property
    def spec(self) -> DataSpec:
        """The shape of the data it was trained on."""
        return DataSpec.from_json(self.data)

    @property
    def slower(self) -> float:
        """The factor on the learning rates after training was rolled back."""
        return self.run.get("slower", 1.0)

    def hash(self) -> str:
        """Hash the metadata, without its hashes."""
        said = dataclasses.asdict(self) | {"sha256": None}
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def check(self) -> None:
        """Raise TypeError or ValueError for metadata that gancli does not write: damaged or hostile files."""
        held_to({**vars(self), "metrics": {}}, About)
        held_to(vars(self), _Numbers)
        self.spec.check(MOST)
        if self.sha256 and self.sha256.get("about") != self.hash():
            raise ValueError("it does not match its hash")
