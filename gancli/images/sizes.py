"""Sizes of images: height and width."""

import re

from gancli.errors import UserError

Size = tuple[int, int]  # height, width
LARGEST_COMMON = 256  # images of one common size keep it, up to this side


def parse_size(text: str | None) -> Size | None:
    """Read `64` or `WIDTHxHEIGHT` as (height, width)."""
    if text is None:
        return None
    if not (match := re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip().lower())):
        raise UserError(f"--size {text} is not a size: give pixels such as 64, or WIDTHxHEIGHT such as 48x32")
    width = int(match[1])
    height = int(match[2] or width)
    if min(width, height) < 4 or max(width, height) > 1024:
        raise UserError(f"--size {text} is not allowed: give 4 to 1024 pixels per side")
    return height, width
