"""How a report writes numbers and other values: exactly as the log has them, or rounded for a summary."""

from typing import Any

from gancli.metrics.table import Metric
from gancli.system.untrusted.door import printable, to_json

LONGEST = 300  # characters of a value from a file
ARROWS = {"up": "higher is better", "down": "lower is better"}


def exact(value: Any) -> str:
    """Write a value as the log does, to its last digit; 'not finite' for what JSON cannot hold."""
    if value is None:
        return "not finite"
    return printable(value if isinstance(value, str) else to_json(value), LONGEST)


def setting(value: Any) -> str:
    """Write the value of a setting."""
    words = {None: "none", True: "yes", False: "no", "": "none"}
    return words[value] if value is None or isinstance(value, bool) or value == "" else exact(value)


def kimg(images: float) -> str:
    """Write a number of images in thousands."""
    return f"{images / 1000:,.10g}"


def direction(row: Metric) -> str:
    """Say which values of a metric are better."""
    return ARROWS[row.better] if isinstance(row.better, str) else f"{row.better:g} is best"
