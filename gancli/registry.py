"""Find variants by name: a module of gancli.variants, an entry point, or a .py file. Listing imports no torch.

Models whose weights can be imported but not trained here are modules of gancli.imported; they are found by name too.
"""

import ast
import builtins
import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gancli.errors import UserError, missing
from gancli.hparams import HParams
from gancli.plugins import contract, moved
from gancli.system.untrusted import trusted_code

if TYPE_CHECKING:
    from gancli.gan import GAN


GROUP = "gancli.variants"
# kinds of data, `Batch.needs`, of which a variant is recommended; the first is trained on when none is named
IMAGES, LABELS, DOMAINS, PAIRS = "images", "images with labels", "images of two domains", "pairs of images"
BUILT_IN = Path(__file__).parent / "variants"
IMPORTED = Path(__file__).parent / "imported"
# fast imports; hyperparameters may use only these, so they need no torch
LIGHT = ("dataclasses", "typing", "gancli.hparams")


@dataclass(frozen=True)
class Description:
    """The description of a variant, taken from its source."""

    name: str
    summary: str  # the first line of the module's docstring: name, authors, year, title, arXiv id
    idea: str  # the class's docstring: the one idea, with its section
    purpose: str  # a phrase; "" if its source does not state it
    data: str  # the data that it needs; "" if its source does not show it
    recommended: bool

    @property
    def citation(self) -> str:
        """Name, authors and year."""
        return self.summary.partition(', "')[0]


def names() -> list[str]:
    """List the names of all variants, which can be trained."""
    return sorted({*_built_in(), *(e.name for e in _installed())})


def imported() -> list[str]:
    """List the names of the models that can only be imported."""
    return _modules(IMPORTED)


def recommended(data: str = IMAGES) -> str:
    """Return the variant to try first on a kind of data: the built-in one whose class sets `recommended`."""
    return next(name for name in _built_in() if (about := describe(name)).recommended and about.data == data)


def _built_in() -> list[str]:
    return _modules(BUILT_IN)


def _modules(folder: Path) -> list[str]:
    return sorted(path.stem.replace("_", "-") for path in folder.rglob("*.py") if not path.stem.startswith("_"))


def load(name: str) -> "type[GAN[Any]]":
    """Return the GAN class called `name`; import no other variant.

    This runs the code of the file: for a name from a checkpoint, `checkpoints.load.kind_of` first checks that the user
    trusts it. Raise UserError for an unknown name, and for a file without exactly one GAN class.
    """
    if name.endswith(".py"):
        return contract.hold(_only_gan(trusted_code.execute(trusted_code.read(source(name))), name))
    for entry in _installed():
        if entry.name == name:
            source(name)  # reports imports from old paths
            return entry.load()
    path = source(name)
    return _only_gan(
        importlib.import_module(".".join(path.relative_to(BUILT_IN.parents[1]).with_suffix("").parts)), name
    )


def describe(name: str) -> Description:
    """Read a variant's docstrings, purpose and data without importing it."""
    path = source(name)
    module = _parse(path)
    gan = _gan_class(module, name)
    summary = (ast.get_docstring(module) or name).splitlines()[0]
    idea = " ".join((ast.get_docstring(gan) or "").split("\n\n")[0].split())
    purpose = _literal(_stated(path, gan.name, "purpose"))
    marked = any(_literal((path, value)) is True for s in gan.body if (value := _assigned(s, "recommended")))
    return Description(
        name, summary, idea, str(purpose or ""), str(_literal(_of_data(path, gan.name, "needs")) or ""), marked
    )


def hyperparameters(name: str) -> type[HParams]:
    """Return the dataclass of a variant's hyperparameters without importing the variant or torch.

    Evaluate its module except for statements that need a heavy import, such as the GAN itself.
    """
    path = source(name)
    gan = _gan_class(_parse(path), name)
    values = [s.value for s in gan.body if isinstance(s, ast.Assign) and _assigns_hparams(s)]
    stated = [value.id for value in values if isinstance(value, ast.Name)]
    if not stated:
        raise UserError(f"{name}: class {gan.name} must set 'hparams = …' to its dataclass of hyperparameters")
    found = _light_part(trusted_code.read(path)).__dict__.get(stated[0])
    if not (isinstance(found, type) and issubclass(found, HParams)):
        raise UserError(f"{name}: {stated[0]} must be a subclass of HParams that imports only {', '.join(LIGHT)}")
    return found


def data_options(name: str) -> frozenset[str] | None:
    """Return the extra options of a variant's kind of data, without importing either.

    Return None if the source does not show them.
    """
    path = source(name)
    uses = _of_data(path, _gan_class(_parse(path), name).name, "uses")
    return frozenset(ast.literal_eval(uses[1])) if uses else None


def source(name: str) -> Path:
    """Return the source file of a variant; raise UserError for an unknown name."""
    module = f"{name.replace('-', '_')}.py"
    paths = [Path(name)] if name.endswith(".py") else [BUILT_IN / module, *IMPORTED.glob(f"*/{module}")]
    known = name.endswith(".py") or re.fullmatch(r"[a-z0-9-]+", name)  # not a path: names also come from checkpoints
    path = next(filter(Path.is_file, paths), None)
    if known and path and not path.stem.startswith("_"):
        return moved.checked(path) if name.endswith(".py") else path
    for entry in _installed():
        if entry.name == name:
            spec = importlib.util.find_spec(entry.module)
            if spec and spec.origin:
                return moved.checked(Path(spec.origin))
    if name.endswith(".py"):
        raise UserError(f"no file {name}: give a variant ({', '.join(names())}) or a .py file with one GAN class")
    raise missing("variant", name, names(), "gancli list shows them")


@cache
def _installed() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


def _parse(path: Path) -> ast.Module:
    return _tree(trusted_code.read(path))


@cache
def _tree(code: trusted_code.Code) -> ast.Module:
    path = code.path
    try:
        return ast.parse(code.content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"{path} is not valid Python: {error}") from None


def _gan_class(module: ast.Module, name: str) -> ast.ClassDef:
    """Return the class that sets `hparams`: this identifies the GAN among a file's classes without running it."""
    found = [s for s in module.body if isinstance(s, ast.ClassDef) and any(map(_assigns_hparams, s.body))]
    if len(found) != 1:
        raise UserError(f"{name} must define one GAN class with 'hparams = …', not {len(found)}")
    return found[0]


def _assigns_hparams(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    named = [t for target in targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return any(isinstance(t, ast.Name) and t.id == "hparams" for t in named)


@cache
def _light_part(code: trusted_code.Code) -> ModuleType:
    """Evaluate those statements of a module that do not depend on a heavy import."""
    module = ModuleType(f"gancli.light.{code.path.stem}")
    sys.modules[module.__name__] = module  # dataclasses look up their module by name
    for statement in _parse(code.path).body:
        if isinstance(statement, ast.ImportFrom):
            module.__dict__.update(_light_import(statement))
        elif not isinstance(statement, ast.Import) and _names_used(statement) <= {*module.__dict__, *dir(builtins)}:
            part = compile(ast.Module([statement], []), str(code.path), "exec", dont_inherit=True)
            exec(part, module.__dict__)  # noqa: S102
    return module


def _light_import(statement: ast.ImportFrom) -> dict[str, Any]:
    imported = statement.module or ""
    if imported in LIGHT:
        names_of: dict[str, Any] = vars(importlib.import_module(imported))
    elif imported.startswith("gancli.families."):
        names_of = vars(_light_part(trusted_code.read(_file_of(imported))))
    else:
        return {}
    return {a.asname or a.name: names_of[a.name] for a in statement.names if a.name in names_of}


def _names_used(statement: ast.stmt) -> set[str]:
    nodes = list(ast.walk(statement))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound = {a.arg for n in nodes if isinstance(n, ast.arguments) for a in (*n.args, *n.kwonlyargs)}
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} - stored - bound


def _stated(path: Path, name: str, attribute: str) -> tuple[Path, ast.expr] | None:
    """Find the value that a class, or its nearest base, assigns to an attribute, and the file; None if not found."""
    module = _parse(path)
    found = [s for s in module.body if isinstance(s, ast.ClassDef) and s.name == name]
    if not found:
        origin = _imported_from(module, name)
        return _stated(origin, name, attribute) if origin else None
    values = filter(None, (_assigned(statement, attribute) for statement in found[0].body))
    if (value := next(values, None)) is not None:
        return path, value
    bases = (base.value if isinstance(base, ast.Subscript) else base for base in found[0].bases)
    above = (_stated(path, base.id, attribute) for base in bases if isinstance(base, ast.Name))
    return next(filter(None, above), None)


def _of_data(path: Path, name: str, attribute: str) -> tuple[Path, ast.expr] | None:
    """Find an attribute of the kind of data that a class trains on, as `_stated` does."""
    kind = _stated(path, name, "data")
    return _stated(kind[0], kind[1].id, attribute) if kind and isinstance(kind[1], ast.Name) else None


def _literal(found: tuple[Path, ast.expr] | None) -> Any:
    """Return the value of a constant; None for anything else, which only running it would tell."""
    return found[1].value if found and isinstance(found[1], ast.Constant) else None


def _imported_from(module: ast.Module, name: str) -> Path | None:
    for s in module.body:
        if (
            isinstance(s, ast.ImportFrom)
            and (s.module or "").startswith("gancli.")
            and name in [a.name for a in s.names]
        ):
            return _file_of(str(s.module))
    return None


def _file_of(module: str) -> Path:
    return BUILT_IN.parents[1].joinpath(*module.split(".")).with_suffix(".py")


def _assigned(statement: ast.stmt, attribute: str) -> ast.expr | None:
    if isinstance(statement, ast.AnnAssign):
        targets, value = [statement.target], statement.value
    else:
        targets, value = (statement.targets, statement.value) if isinstance(statement, ast.Assign) else ([], None)
    for target in targets:
        pairs = zip(target.elts, value.elts) if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) else ()
        for name, its_value in [(target, value), *pairs]:
            if isinstance(name, ast.Name) and name.id == attribute:
                return its_value
    return None


def _only_gan(module: ModuleType, name: str) -> "type[GAN[Any]]":
    from gancli.gan import GAN

    found = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, GAN) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(f"{name} must define one GAN class, not {len(found)}")
    return found[0]


def able(capability: type) -> list[str]:
    """List the variants that have a capability, a protocol of gancli.gan."""
    return [name for name in names() if issubclass(load(name), capability)]
