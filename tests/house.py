"""How a package of Python files stands: what imports what, and where. Nothing is imported to find out."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Graph = Mapping[str, set[str]]  # by module, the modules of the package that it imports


def modules(root: Path) -> dict[str, Path]:
    """Name every module of a package by its dotted path."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path, *, lazy: bool = True) -> dict[str, set[str]]:
    """What each module imports of its package, in functions and for types too; without `lazy`, what it always does."""
    known = modules(root)
    return {name: set(_imported(path, known, lazy)) - {name} for name, path in known.items()}


def _imported(path: Path, known: Iterable[str], lazy: bool) -> Iterator[str]:
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), lazy):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield from (name for name in _both(f"{node.module}.{alias.name}") if name in known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def _both(name: str) -> Iterator[str]:
    """The module that is imported from, unless what is imported is one itself."""
    yield name
    yield name.rpartition(".")[0]


def _nodes(tree: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        hidden = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _for_types(node)
        if lazy or not hidden:
            yield from _nodes(node, lazy)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def circle(graph: Graph) -> list[str]:
    """Find a way back to where it began, if there is one; an empty package is nobody's way."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def room(module: str) -> str:
    """Name the part of the house in which a module stands: the first folder, or the file itself."""
    return [*module.split("."), ""][1]


def upward(graph: Graph, house: tuple[str, ...]) -> list[str]:
    """List the imports that do not point down the house; a room that is not in it has no floor to stand on."""
    floor = {name: i for i, name in enumerate(house)}
    known = floor.keys()
    ways = [(module, other) for module in graph for other in graph[module] if room(module) and room(other)]
    return [
        f"{module} -> {other}"
        for module, other in ways
        if room(module) != room(other)
        and not ({room(module), room(other)} <= known and floor[room(module)] < floor[room(other)])
    ]


def between(graph: Graph, one: str, others: Iterable[str]) -> list[str]:
    """List the imports of one room from others."""
    return [f"{m} -> {o}" for m in graph if room(m) == one for o in graph[m] if room(o) in set(others)]


def reach(graph: Graph, start: str) -> set[str]:
    """All that is imported with a module, packages among them."""
    found, open_ = set(), [start]
    while open_:
        module = open_.pop()
        if module and module not in found:
            found.add(module)
            open_ += [*graph.get(module, ()), module.rpartition(".")[0]]
    return found


def outside(path: Path) -> set[str]:
    """The packages that a module always imports."""
    nodes = list(_nodes(ast.parse(path.read_text(encoding="utf-8")), lazy=False))
    named = [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
    named += [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    return {name.partition(".")[0] for name in named}


def crowded(root: Path, most: Mapping[str, int], otherwise: int) -> list[str]:
    """List the folders with too many files, by their path below the root; what makes a folder a package is none."""
    files = (path for path in root.rglob("*.py") if path.name != "__init__.py" or path.parent == root)
    counts = Counter(str(path.parent.relative_to(root)) for path in files)
    return [f"{folder}: {count}" for folder, count in counts.items() if count > most.get(folder, otherwise)]


def twice(root: Path, without: Iterable[str] = ()) -> list[str]:
    """List the public classes whose name two modules give, outside of some rooms."""
    names: Counter[str] = Counter()
    for module, path in modules(root).items():
        if room(module) not in set(without):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names.update(n.name for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))
    return sorted(name for name, count in names.items() if count > 1)


def strings(path: Path) -> set[str]:
    """The strings of a file that a decision could hang on; prose may say anything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    values = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in prose}
    return {value for value in values if isinstance(value, str)}


def private(root: Path) -> list[str]:
    """List the imports of names that begin with an underscore."""
    found = []
    for module, path in modules(root).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == root.name:
                found += [f"{module}: {a.name}" for a in node.names if a.name.startswith("_") and a.name[1] != "_"]
    return found
