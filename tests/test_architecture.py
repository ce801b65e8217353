"""What keeps the house in order: imports point one way, the core names no variant, every option is explained."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

import gancli
from gancli import registry
from gancli.gan import GAN
from gancli.hparams import words
from gancli.run import RunOptions

ROOT = Path(gancli.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py"))
ADAPTERS = ("importing.py", "published.py")  # what other people's files become: naming it is their work
CORE = [path for path in MODULES if path.parent.name != "variants" and path.name not in ADAPTERS]
VARIANTS = sorted((ROOT / "variants").glob("*.py"))

# what each part may import of gancli, besides what is in its own folder
ALLOWED = {
    "errors.py": set(),
    "hparams.py": {"errors"},
    "seeds.py": {"dist"},
    "watch.py": set(),
    "dist.py": {"watch"},
    "atomic.py": set(),
    "latents.py": set(),
    "losses.py": set(),
    "penalties.py": {"dist"},
    "masks.py": {"dist"},
    "priors.py": set(),
    "photos.py": {"data", "errors"},
    "images.py": {"atomic", "errors"},
    "gan.py": {"data", "hparams", "optim"},
    "optim.py": set(),
    "graphs.py": {"dist", "gan", "step"},
    "compiling.py": {"gan", "step"},
    "flops.py": {"gan", "step"},
    "against.py": {"errors", "flops"},
    "ema.py": {"gan"},
    "run.py": {"atomic", "hparams"},
    "checkpoint.py": {"atomic", "data", "ema", "errors", "gan"},
    "health.py": {"dist"},
    "step.py": {"dist", "gan", "health"},
    "saves.py": {"checkpoint", "errors", "run"},
    "signals.py": {"train"},
    "resuming.py": {"atomic", "checkpoint", "dist", "ema", "errors", "gan", "run"},
    "advice.py": {"data", "gan"},
    "memory.py": {"dist", "gan"},
    "train.py": {
        "advice",
        *("checkpoint", "data", "dist", "ema", "errors", "gan", "health", "images", "run", "saves", "scatter"),
        *("seeds", "step"),
    },
    "registry.py": {"errors", "gan", "hparams"},
    "web.py": {"untrusted"},
    "download.py": {"atomic", "errors", "untrusted", "web"},
    "data": {"atomic", "dist", "errors", "seeds", "untrusted"},
    "nets": {"data", "dist", "errors"},
    "metrics": {"atomic", "data", "dist", "download", "errors", "gan", "images", "seeds", "untrusted"},
    "variants": {
        *("data", "dist", "divergences", "errors", "gan", "hparams", "jitter", "losses", "masks", "nets", "penalties"),
        *("optim", "pool", "priors"),
    },
}


def imported(path: Path) -> set[str]:
    """The parts of gancli that a file imports, by their first name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "gancli":
            found |= {alias.name for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gancli."):
            found.add((node.module or "").split(".")[1])
    return found


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_point_one_way(part: str) -> None:
    files = [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))
    assert files
    for path in files:
        assert imported(path) - {part} <= ALLOWED[part], path


def test_nothing_but_the_registry_reaches_the_variants() -> None:
    for path in MODULES:
        if path.parent.name != "variants":
            assert "variants" not in imported(path), path


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_names_no_variant(path: Path) -> None:
    """As an identifier or a string that a decision could hang on; prose may."""
    names = set(registry.names()) - {"gan"}
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in prose}
    assert not names & {s for s in strings if isinstance(s, str)}


@pytest.mark.parametrize("path", VARIANTS, ids=lambda p: p.stem)
def test_no_yield_inside_a_with(path: Path) -> None:
    """The block would still be open while the loop moves the player."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.With):
            assert not [n for n in ast.walk(node) if isinstance(n, ast.Yield | ast.YieldFrom)]


@pytest.mark.parametrize("path", VARIANTS, ids=lambda p: p.stem)
def test_no_value_is_read_back_in_a_variant(path: Path) -> None:
    assert not re.search(r"\.(item|tolist|cpu|numpy)\(", path.read_text())


def depth(gan: type) -> int:
    """The longest way up to GAN."""
    return 0 if gan is GAN else 1 + max(depth(base) for base in gan.__bases__ if issubclass(base, GAN))


@pytest.mark.parametrize("name", registry.names())
def test_variants_are_short_shallow_and_cite_their_paper(name: str) -> None:
    assert len(registry.source(name).read_text().splitlines()) <= 120
    above = [c for c in registry.load(name).__mro__[1:] if issubclass(c, GAN) and c is not GAN]
    assert all(c.__module__.startswith("gancli.variants._") for c in above), "families only, never a variant"
    assert depth(registry.load(name)) <= 4
    assert re.search(r"(19|20)\d\d, \".+\"", registry.describe(name).summary)


def test_half_of_the_variants_fit_on_a_screen() -> None:
    sizes = sorted(len(registry.source(name).read_text().splitlines()) for name in registry.names())
    assert sizes[len(sizes) // 2] <= 60


def code_of(path: Path) -> list[str]:
    """The statements of a file, a line each and whatever its numbers and words are: no docstrings, no imports."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = 0 if isinstance(node.value, int | float) else ""
    lines = [line.strip() for line in ast.unparse(tree).splitlines()]
    return [line for line in lines if line not in ("", '""""""') and not line.startswith(("import ", "from ", "@"))]


def test_no_six_lines_stand_in_two_variants() -> None:
    """What two have in common belongs to a family."""
    seen: dict[tuple[str, ...], Path] = {}
    for path in VARIANTS:
        lines = code_of(path)
        for i in range(len(lines) - 5):
            run = tuple(lines[i : i + 6])
            assert seen.setdefault(run, path) is path, (path.name, seen[run].name, run)


@pytest.mark.parametrize("options", [RunOptions, *(registry.hyperparameters(name) for name in registry.names())])
def test_every_option_is_explained(options: type) -> None:
    for field in dataclasses.fields(options):
        assert len(words(options, field.name)["help"]) > 8, field.name


def test_files_are_small() -> None:
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= (500 if path.parent.name == "nets" else 330), path


def test_the_readme_lists_the_variants() -> None:
    readme = (ROOT.parent / "README.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", readme, re.MULTILINE) == registry.names()
