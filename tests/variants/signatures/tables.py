"""What each variant is known by after a short training, beside a control that must fail: a table a family.

Two readers: `pytest -m slow tests/variants/test_signatures_learn.py` judges it, and
`python -m tests.variants.signatures --kept FILE` writes what it found over five seeds to docs/signature.md.
"""

from tests.variants.signatures import codes, growing, labels, objectives, pairs_and_holes, points_and_images

SEEDS = range(5)
SIGNATURES = [
    *objectives.table,
    *points_and_images.table,
    *labels.table,
    *codes.table,
    *pairs_and_holes.table,
    *growing.table,
]
