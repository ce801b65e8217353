"""Generators whose authors truncate by scaling latents."""

from typing import TypeVar

import torch
from torch import Tensor

from gancli.errors import UserError
from gancli.families.latents import FromLabels, SizeHParams

H = TypeVar("H", bound=SizeHParams)


def check_truncation(truncation: float) -> None:
    """Raise UserError unless a factor shrinks latents."""
    if not 0 < truncation <= 1:
        raise UserError(f"--truncation {truncation} is not allowed: give a number above 0, up to 1")


class Scaled(FromLabels[H]):
    """Truncates by a factor of the noise."""

    truncates_by = "latents that are scaled by T"

    def truncated(self, n: int, truncation: float) -> Tensor:
        """Sample latents (n, Z) whose noise is T times as large."""
        check_truncation(truncation)
        noise, label = self.prior(n).tensor_split([self.hp.z_dim], 1)
        return torch.cat([noise * truncation, label], 1)
