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
from gancli.training.options import RunOptions
from tests import house

ROOT = Path(gancli.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
GAMES = sorted(path for room in ("variants", "imported", "families") for path in (ROOT / room).rglob("*.py"))

# from the top to the ground: what stands above may import what stands below, never the other way round
HOUSE = (
    *("__main__", "cli", "benchmark", "reporting", "training", "evaluation", "exploring", "inference", "checkpoints"),
    *("engine", "registry", "plugins"),
    *("variants", "imported", "families", "capabilities", "gan", "optim", "ops", "nets", "metrics", "data", "images"),
    *("system", "hparams", "errors"),
)
# who must not know whom, though they stand above
STRANGERS = {
    "benchmark": ("evaluation", "inference"),
    "reporting": ("evaluation", "inference", "engine", "nets"),
    "training": ("inference",),
    "evaluation": ("inference", "engine"),
    "exploring": ("engine",),
    "inference": ("engine",),
    "checkpoints": ("engine",),
    "variants": ("metrics", "images"),
    "imported": ("metrics", "images"),
    "families": ("metrics", "images"),
    "ops": ("nets", "metrics", "images"),
    "nets": ("metrics", "images"),
    "metrics": ("data", "images"),  # functions of features
}
# what other people's files become, in files or by name, and where modules stood before: naming variants is their work
ADAPTERS = (ROOT / "checkpoints" / "importers", *(ROOT / "checkpoints").glob("published*.py"))
CORE = [
    p
    for p in MODULES
    if p.relative_to(ROOT).parts[0] not in ("variants", "imported") and not any(p.is_relative_to(a) for a in ADAPTERS)
]
HEAVY = {"torch", "torchvision", "numpy", "PIL", "matplotlib", "safetensors"}


def test_every_import_points_down() -> None:
    assert not house.upward(house.imports(ROOT), HOUSE)


@pytest.mark.parametrize("room", STRANGERS)
def test_rooms_that_are_strangers(room: str) -> None:
    assert not house.between(house.imports(ROOT), room, STRANGERS[room])


def test_layers_know_no_network() -> None:
    graph = house.imports(ROOT)
    layers = {module: names for module, names in graph.items() if module.startswith("gancli.nets.layers")}
    assert [m for m, names in layers.items() if any(house.room(n) == "nets" and n not in layers for n in names)] == []


def test_no_import_comes_back_to_where_it_began() -> None:
    """Whether at the top of a file, in a function, or for types alone."""
    assert not house.circle(house.imports(ROOT))


def test_nothing_but_the_registry_reaches_the_variants() -> None:
    """It names them by their files."""
    graph = house.imports(ROOT)
    assert [m for m in graph if any(house.room(other) in ("variants", "imported") for other in graph[m])] == []


def test_every_init_is_empty() -> None:
    """Else --help would import what a package does; the version is the package's own."""
    full = [path for path in ROOT.rglob("__init__.py") if path.read_text(encoding="utf-8")]
    assert full == [ROOT / "__init__.py"]
    assert [type(n) for n in ast.parse(full[0].read_text(encoding="utf-8")).body] == [ast.Expr, ast.Assign]


def test_rooms_are_small() -> None:
    assert not house.crowded(ROOT, {".": 8, "variants": 100}, otherwise=14)


def test_one_name_one_class() -> None:
    """Variants name theirs after the paper, and networks are named with their module: dcgan.Generator."""
    assert not house.twice(ROOT, without=("variants", "imported", "nets"))


def test_contributing_has_a_line_for_every_folder() -> None:
    """And names what stands at the top."""
    tree = (ROOT.parent / "docs" / "CONTRIBUTING.md").read_text().partition("```\n")[2]
    tree = tree[tree.index("gancli/\n") :].partition("```")[0]
    folders = {path.parent.name for path in MODULES if path.parent != ROOT}
    assert {name for name in folders if not re.search(rf"^ +{name}/ ", tree, re.MULTILINE)} == set()
    files = {path.name for path in ROOT.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert {name for name in files if name not in tree.splitlines()[1]} == set()


def test_the_index_of_the_documentation_lists_every_page() -> None:
    docs = ROOT.parent / "docs"
    listed = re.findall(r"^\| \[([\w.-]+)\]\(\1\) \|", (docs / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in docs.glob("*.md") if path.name != "README.md")


def test_what_crosses_a_file_is_public() -> None:
    assert not house.private(ROOT)


def test_the_command_line_imports_nothing_heavy() -> None:
    """So that --help takes no time; every command imports what it needs when it runs."""
    light = house.reach(house.imports(ROOT, lazy=False), "gancli.cli.main")
    found = house.modules(ROOT)
    assert not {name: house.outside(found[name]) & HEAVY for name in light if house.outside(found[name]) & HEAVY}


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_names_no_variant(path: Path) -> None:
    assert not (set(registry.names()) - {"gan"}) & house.strings(path)


# ------------------------------------------------------------------- each of these can fail: on a house that is wrong


def build(root: Path, **files: str) -> Path:
    """Write a small package: room__file="its text"."""
    for name, text in files.items():
        path = root / "gancli" / f"{name if '/' in name else name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "gancli"


def test_a_way_up_is_seen(tmp_path: Path) -> None:
    down = build(tmp_path / "down", training__loop="from gancli.data import feed", data__feed="")
    assert not house.upward(house.imports(down), HOUSE)
    up = build(tmp_path / "up", data__feed="def f():\n    from gancli.training.loop import x", training__loop="x = 1")
    assert house.upward(house.imports(up), HOUSE) == ["gancli.data.feed -> gancli.training.loop"]
    attic = build(tmp_path / "attic", attic__box="from gancli.data import feed", data__feed="")
    assert house.upward(house.imports(attic), HOUSE) == ["gancli.attic.box -> gancli.data.feed"]


def test_strangers_are_seen(tmp_path: Path) -> None:
    root = build(tmp_path, metrics__fid="from gancli.data.feed import Feed", data__feed="")
    assert house.between(house.imports(root), "metrics", ("data",)) == ["gancli.metrics.fid -> gancli.data.feed"]


@pytest.mark.parametrize(
    "back",
    [
        "from gancli.data import a",
        "def f():\n    import gancli.data.a",
        "if TYPE_CHECKING:\n    from gancli.data.a import A",
    ],
)
def test_a_circle_is_seen(tmp_path: Path, back: str) -> None:
    root = build(tmp_path, data__a="from gancli.data.b import B", data__b=back)
    assert set(house.circle(house.imports(root))) == {"gancli.data.a", "gancli.data.b"}
    assert not house.circle(house.imports(build(tmp_path / "open", data__a="from gancli.data.b import B", data__b="")))


def test_a_heavy_import_is_seen(tmp_path: Path) -> None:
    """At the top of what is imported on the way, but not in a function."""
    root = build(
        tmp_path,
        cli__main="from gancli.cli import train",
        cli__train="from gancli.system import seeds\ndef run():\n    import torch",
        system__seeds="from torch import Tensor",
        **{"system/__init__": "import numpy"},
    )
    graph, found = house.imports(root, lazy=False), house.modules(root)
    heavy = {
        name for name in house.reach(graph, "gancli.cli.main") & found.keys() if house.outside(found[name]) & HEAVY
    }
    assert heavy == {"gancli.system.seeds", "gancli.system"}


def test_a_crowd_a_second_name_a_private_one_and_a_variant_are_seen(tmp_path: Path) -> None:
    crowd = build(tmp_path / "crowd", **{f"data__f{i}": "" for i in range(3)})
    assert house.crowded(crowd, {}, otherwise=2) == ["data: 3"]
    assert house.crowded(crowd, {"data": 3}, otherwise=2) == []
    root = build(
        tmp_path / "names", a="class Files: ...", data__b="class Files: ...\nclass _Own: ...", nets__c="class _Own: ..."
    )
    assert house.twice(root) == ["Files"]
    assert house.twice(root, without=("data",)) == []
    assert house.private(build(tmp_path / "own", a="from gancli.data.b import _x, y", data__b="")) == ["gancli.a: _x"]
    (tmp_path / "core.py").write_text('"""Prose may say dcgan."""\nif variant == "dcgan": ...')
    assert house.strings(tmp_path / "core.py") == {"dcgan"}


# -------------------------------------------------------------------------------------------------- the variants


@pytest.mark.parametrize("path", GAMES, ids=lambda p: p.stem)
def test_no_yield_inside_a_with(path: Path) -> None:
    """The block would still be open while the loop moves the player."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.With):
            assert not [n for n in ast.walk(node) if isinstance(n, ast.Yield | ast.YieldFrom)]


@pytest.mark.parametrize("path", GAMES, ids=lambda p: p.stem)
def test_no_value_is_read_back_in_a_variant(path: Path) -> None:
    assert not re.search(r"\.(item|tolist|cpu|numpy)\(", path.read_text())


def depth(gan: type) -> int:
    """The longest way up to GAN."""
    return 0 if gan is GAN else 1 + max(depth(base) for base in gan.__bases__ if issubclass(base, GAN))


@pytest.mark.parametrize("name", registry.names())
def test_variants_are_short_shallow_and_cite_their_paper(name: str) -> None:
    assert len(registry.source(name).read_text().splitlines()) <= 120
    above = [c for c in registry.load(name).__mro__[1:] if issubclass(c, GAN) and c is not GAN]
    assert all(c.__module__.startswith("gancli.families.") for c in above), "families only, never a variant"
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
    for path in GAMES:
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
        assert len(path.read_text().splitlines()) <= (500 if "nets" in path.parts else 330), path


def test_the_readme_lists_the_variants() -> None:
    readme = (ROOT.parent / "README.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", readme, re.MULTILINE) == registry.names()
