"""Accuracy of a classifier on held-out images."""

from typing import Any

import torch

from gancli.capabilities import Classifies
from gancli.data.dataset import Dataset

PART = 250  # images at a time


@torch.no_grad()
def accuracy(gan: Classifies, held_out: Dataset[Any], device: torch.device) -> dict[str, float]:
    """Return the share of images whose label gets the largest logit."""
    right = torch.zeros((), device=device)
    for index in torch.arange(len(held_out)).split(PART):
        batch = held_out.batch(index, device)
        right += (gan.classify(batch.image).argmax(1) == batch.label).sum()
    return {"accuracy": float(right) / len(held_out)}
