"""Signatures of variants with labels: generating the requested class, and classifying."""

from functools import cache
from typing import Any

import torch
from torch import nn

from tests.variants.signatures.table import Table, folder
from tests.variants.training import TOY, counts, held_out, oracle, small_shapes, train

table = Table()


def agreement(gan: Any) -> float:
    """Return how often a classifier of real digits predicts the requested digit."""
    return float(counts(gan, judge()).diagonal().sum() / 500)


@cache
def judge() -> nn.Module:
    return oracle("digits")


@table.signature("cgan", "share of digits with the requested class", "D does not see the label", 0.6)
def told(seed: int, control: bool) -> float:
    def blind(gan: Any) -> None:
        judge = gan.D.forward
        gan.D.forward = lambda x, y: judge(x, torch.zeros_like(y))

    return agreement(train("cgan", "digits", 250, seed, blind if control else None, **TOY)[0])


@table.signature("acgan", "share of digits with the requested class", "no class loss", 0.6)
def named(seed: int, control: bool) -> float:
    return agreement(train("acgan", "digits", 250, seed, class_weight=0.0 if control else 1.0, **TOY)[0])


@table.signature("sgan", "accuracy with four labels per class", "unlabelled images are not used", 0.75)
def from_few_labels(seed: int, control: bool) -> float:
    options: dict[str, Any] = TOY | {"labels_per_class": 4, "unlabelled_weight": 0.0 if control else 1.0}
    gan, feed, _ = train("sgan", small_shapes(folder()), 1000, seed, **options)
    return held_out(gan, feed)


@table.signature("infogan", "mutual information of code and images; at most ln 10 = 2.303", "no information loss", 1.5)
def information(seed: int, control: bool) -> float:
    weight = 0.0 if control else 1.0
    options: dict[str, Any] = TOY | {"info_weight": weight, "continuous_weight": 0.1 * weight, "g_lr": 2e-3}
    return train("infogan", "digits", 250, seed, **options)[2]["D/information"]
