"""How signatures read images, and how their page keeps what was not measured again."""

import numpy as np
import pytest
import torch

from gancli.data.synthetic import shapes
from tests.variants.signatures import growing, stacked
from tests.variants.signatures.__main__ import key, row, rows_of
from tests.variants.signatures.table import Signature
from tests.variants.signatures.tables import SIGNATURES

ONE = Signature("gan", "a share", "nothing learns", 0.5, lambda seed, control: 0.0)


def test_every_mode_of_stacked_is_read_as_itself() -> None:
    assert stacked.modes_of(stacked.stacked(torch.arange(1000))).tolist() == list(range(1000))


def test_images_without_three_clear_glyphs_show_no_mode() -> None:
    """Neither noise nor what lies between two modes counts."""
    some = stacked.stacked(torch.arange(1000))
    between = (some + some.roll(500, 0)) / 2
    assert len(stacked.modes_of(between)) == 0
    assert len(stacked.modes_of(torch.rand(200, 3, stacked.SIDE, stacked.SIDE) * 2 - 1)) == 0


def test_pose_and_colour_are_read_from_16_pixels() -> None:
    f = shapes.factors(growing.PLAIN, 3, np.arange(300))
    image = torch.from_numpy(shapes.render(growing.PLAIN, f)).float() / 127.5 - 1
    found = growing.factors(image)
    assert min(np.corrcoef(found[name], f[name])[0, 1] for name in growing.PLACE) > 0.95
    assert (found["colour"] == f["colour"]).mean() > 0.99


def test_a_row_without_values_stays_as_the_page_has_it() -> None:
    old = "| gan | a share | >= 0.5 | 0.7 … 0.9 | nothing learns | 0 … 0.1 | 3 | yes |"
    before = rows_of(f"| variant | what is measured |\n| --- | --- |\n{old}\n")
    assert row(ONE, {}, before) == old
    found = {key(ONE, 0, control): (float(not control), 1.0) for control in (False, True)}
    assert row(ONE, found, before) != old
    assert row(ONE, {}, {}) is None


@pytest.mark.parametrize(("good", "control", "said"), [(1.0, 0.0, "yes (of 1)"), (0.2, 0.0, "**no** (of 1)")])
def test_a_row_says_whether_it_holds(good: float, control: float, said: str) -> None:
    found = {key(ONE, 0, False): (good, 1.0), key(ONE, 0, True): (control, 1.0)}
    assert said in str(row(ONE, found, {}))


def test_no_two_signatures_have_the_same_row() -> None:
    names = [(one.variant, one.what) for one in SIGNATURES]
    assert len(set(names)) == len(names)
