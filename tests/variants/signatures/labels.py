"""What variants with labels are known by: classes that are drawn when asked for, and told apart."""

from functools import cache
from typing import Any

import torch
from torch import nn

from tests.variants.signatures.table import Table, folder
from tests.variants.training import TOY, counts, held_out, oracle, small_shapes, train

table = Table()


def agreement(gan: Any) -> float:
    """How often a classifier of real digits reads the digit that was asked for."""
    return float(counts(gan, judge()).diagonal().sum() / 500)


@cache
def judge() -> nn.Module:
    return oracle("digits")


@table.signature("cgan", "share of digits that are those asked for", "D is not told the label", 0.6)
def told(seed: int, control: bool) -> float:
    def blind(gan: Any) -> None:
        judge = gan.D.forward
        gan.D.forward = lambda x, y: judge(x, torch.zeros_like(y))

    return agreement(train("cgan", "digits", 250, seed, blind if control else None, **TOY)[0])


@table.signature("acgan", "share of digits that are those asked for", "no class term", 0.6)
def named(seed: int, control: bool) -> float:
    return agreement(train("acgan", "digits", 250, seed, class_weight=0.0 if control else 1.0, **TOY)[0])


@table.signature("sgan", "accuracy from four labels a class", "no images without labels", 0.85)
def from_few_labels(seed: int, control: bool) -> float:
    options: dict[str, Any] = TOY | {"labels_per_class": 4, "unlabelled_weight": 0.0 if control else 1.0}
    gan, feed, _ = train("sgan", small_shapes(folder()), 250, seed, **options)
    return held_out(gan, feed)


@table.signature("infogan", "information on the code in the images, at most ln 10 = 2.303", "no information term", 1.5)
def information(seed: int, control: bool) -> float:
    weight = 0.0 if control else 1.0
    options: dict[str, Any] = TOY | {"info_weight": weight, "continuous_weight": 0.1 * weight, "g_lr": 2e-3}
    return train("infogan", "digits", 250, seed, **options)[2]["D/information"]
