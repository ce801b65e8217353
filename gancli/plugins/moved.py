"""Old and new paths of modules that plug-ins import: an old path gives a one-line error with the new one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gancli.errors import UserError
from gancli.system.untrusted import trusted_code

FAMILY = re.compile(r"gancli\.variants\._(\w+)")
ROOMS = {
    "gancli.ops": ("divergences", "losses", "masks", "penalties", "priors"),
    "gancli.system": ("atomic", "devices", "dist", "seeds"),
    "gancli.images": ("scatter",),
}
MODULES = {
    **{f"gancli.{module}": f"{room}.{module}" for room, modules in ROOMS.items() for module in modules},
    **{f"gancli.data.{kind}": f"gancli.data.kinds.{kind}" for kind in ("images", "labelled", "paired", "unpaired")},
    **{f"gancli.nets.{layer}": f"gancli.nets.layers.{layer}" for layer in ("convolution", "spectral", "winograd")},
    "gancli.jitter": "gancli.ops.crop_flip",
    "gancli.pool": "gancli.ops.image_pool",
    "gancli.ema": "gancli.checkpoints.ema",
    "gancli.step": "gancli.engine.step",
    "gancli.data.made": "gancli.data.synthetic.pairs",
    "gancli.data.points": "gancli.data.synthetic.points",
    "gancli.data.shapes": "gancli.data.synthetic.shapes",
    "gancli.data.cache": "gancli.system.cache",
    "gancli.data.builtin": "gancli.data.sources.builtin",
}
CAPABILITIES = (
    "Samples", "Rates", "Truncates", "Classes", "Styled", "Appends", "Encodes", "Translates", "Fills", "Classifies",
    "each_class",
)  # fmt: skip
NAMES = {  # whose old module still exists, or was split
    "gancli.data.spec.Batch": "gancli.data.dataset.Batch",
    "gancli.data.feed.Dataset": "gancli.data.dataset.Dataset",
    "gancli.data.feed.order": "gancli.data.order.order",
    "gancli.data.sources.Request": "gancli.data.request.Request",
    "gancli.data.sources.open_source": "gancli.data.sources.open.open_source",
    "gancli.data.pictures.Wanted": "gancli.data.request.Wanted",
    "gancli.data.pictures.Pictures": "gancli.data.sources.decode.Pictures",
    **{f"gancli.gan.{name}": f"gancli.capabilities.{name}" for name in CAPABILITIES},
    "gancli.images.to_pixels": "gancli.images.pixels.to_pixels",
    **{
        f"gancli.nets.layers.{norm}": f"gancli.nets.layers.norms.{norm}"
        for norm in ("BatchNorm1d", "BatchNorm2d", "InstanceNorm2d", "LayerNorm2d")
    },
}


def checked(path: Path) -> Path:
    """Return the file of a plug-in; raise UserError with the new paths if it imports from old ones."""
    try:
        tree = ast.parse(trusted_code.read(path).content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return path  # running it will report the error
    found = dict(filter(None, (_moved(name) for node in ast.walk(tree) for name in _imported(node))))
    if found:
        said = ", ".join(f"{old} is now {new}" for old, new in found.items())
        raise UserError(f"{path} imports modules or names that have moved: {said}")
    return path


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _moved(name: str) -> tuple[str, str] | None:
    """Return the old and new path of an imported name; None if it has not moved."""
    if name in NAMES:
        return name, NAMES[name]
    if family := FAMILY.match(name):
        return family[0], f"gancli.families.{family[1]}"
    old = next((old for old in MODULES if name == old or name.startswith(f"{old}.")), None)
    return (old, MODULES[old]) if old else None
