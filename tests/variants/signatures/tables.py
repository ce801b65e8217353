"""All signatures: what each variant shows after a short training, and a control does not.

`pytest -m slow tests/variants/test_signatures_learn.py` checks them, and
`python -m tests.variants.signatures --kept FILE` writes docs/signature.md.
"""

from tests.variants.signatures import (
    attention,
    codes,
    growing,
    labels,
    objectives,
    pairs_and_holes,
    points_and_images,
    stacked,
)

SEEDS = range(5)
SIGNATURES = [
    *objectives.table,
    *points_and_images.table,
    *labels.table,
    *codes.table,
    *pairs_and_holes.table,
    *growing.table,
    *attention.table,
    *stacked.table,
]
