"""Write docs/reference.md from the command line itself: every command, argument and option.

    python -m tests.dev.reference

Nothing is run and torch is not imported; tests/cli/test_reference.py checks that the page is up to date.
"""

import inspect
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import typer

from gancli import registry
from gancli.cli import main as command_line
from gancli.cli.options import options
from gancli.hparams import option_of
from gancli.training.options import OF_SOME_DATA, BenchOptions, RunOptions, SetUp

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
BEGIN, END = "<!-- commands and options: written by tests/dev/reference.py -->", "<!-- end of commands and options -->"
WORDS = {int: "whole number", float: "number", str: "text", Path: "path", bool: ""}
FEW = 4  # variants that are listed by name
HEADINGS = ("option", "value", "default", "meaning")


class Row(NamedTuple):
    """An argument or option, as a reader needs it."""

    names: str
    value: str
    default: str
    meaning: str

    @property
    def setting(self) -> str:
        """The option with its default, such as `--batch 64`."""
        if not self.value:
            on, _, off = self.names.partition(", ")
            return on if self.default == "on" else off or on
        return f"`{self.names.strip('`')} {self.default.strip('`')}`" if self.default else f"{self.names} (not set)"


def generated() -> str:
    """Return the generated part of the page."""
    variants = {name: rows(registry.hyperparameters(name)) for name in registry.names()}
    parts = [commands(), training(), shared(variants), *(variant(name, variants) for name in variants)]
    return "\n\n".join(parts)


def renewed(page: str) -> str:
    """Return a page with its generated part replaced."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{generated()}\n\n{END}{rest.partition(END)[2]}"


# ------------------------------------------------------------------------------------------------------ sections


def commands() -> str:
    """Return a section with every command."""
    of_variants = {str(info.name): _of_variants(info) for info in command_line.app.registered_groups}
    others = [_command(str(info.name), info.callback) for info in command_line.app.registered_commands]
    return "\n\n".join(["## Commands", of_variants.pop("train"), *others, *of_variants.values()])


def _of_variants(info: Any) -> str:
    """Return a command whose options depend on the variant: `train` or `bench`."""
    said = _prose(info.typer_instance.registered_callback.callback)
    lines = [f"### {info.name}", _usage(info.name, "VARIANT [OPTIONS]"), said]
    if info.name == "train":
        return "\n\n".join(
            [*lines, "It takes the [options of every run](#options-of-every-run) and the [variant's](#variants)."]
        )
    those = ", ".join(one.names for one in rows(SetUp))
    own = [one for one in rows(BenchOptions) if one not in rows(SetUp)]
    return "\n\n".join(
        [*lines, f"It takes the [variant's options](#variants), of a run's {those}, and these:", table(HEADINGS, own)]
    )


def training() -> str:
    """Return a section with the options that every variant has."""
    of_some = ", ".join(f"`{option_of(name)}`" for name in sorted(OF_SOME_DATA))
    panels: dict[str, list[Row]] = defaultdict(list)
    for parameter in options(RunOptions, "Run"):
        panels[_info(parameter).rich_help_panel].append(row(parameter))
    tables = [f"### {panel}\n\n{table(HEADINGS, found)}" for panel, found in panels.items()]
    said = f"Every variant has these options; {of_some} exist only for the kinds of data that need them."
    return "\n\n".join(["## Options of every run", said, *tables])


def shared(variants: Mapping[str, list[Row]]) -> str:
    """Return a section with the hyperparameters that several variants have."""
    users = sorted(_users(variants).items(), key=lambda item: (item[0].names, -len(item[1])))
    meanings = Counter(one.names for one, _ in users)
    found = [
        (*one[:2], _those(used, len(variants), listed=meanings[one.names] > 1), one[3])
        for one, used in users
        if len(used) > 1
    ]
    return "## Hyperparameters that variants share\n\nThe defaults are below, at each variant.\n\n" + table(
        ("option", "value", "variants", "meaning"), found
    )


def variant(name: str, variants: Mapping[str, list[Row]]) -> str:
    """Return the section of a variant: what it is for, its own options, and its defaults of the shared ones."""
    about, users, data = registry.describe(name), _users(variants), registry.data_options(name)
    own = [one for one in variants[name] if len(users[_meaning(one)]) == 1]
    others = [one.setting for one in variants[name] if one not in own]
    of_data = ", ".join(f"`{option_of(option)}`" for option in sorted(data or ()))
    parts = [
        f"### {name}",
        about.summary,
        f"Purpose: {about.purpose}. Data: {about.data}{of_data and f' ({of_data})'}.",
        *([table(HEADINGS, own)] if own else []),
        f"Shared hyperparameters, with its defaults: {', '.join(others)}.",
    ]
    heading = ["## Variants"] if name == next(iter(variants)) else []
    return "\n\n".join([*heading, *parts])


def _command(name: str, callback: Callable[..., Any] | None) -> str:
    assert callback
    parameters = [p for p in inspect.signature(callback).parameters.values() if p.annotation is not typer.Context]
    arguments = [p for p in parameters if _is_argument(p)]
    words = " ".join(_placeholder(p) for p in arguments)
    found = [row(p) for p in [*arguments, *(p for p in parameters if not _is_argument(p))]]
    return "\n\n".join([f"### {name}", _usage(name, f"{words} [OPTIONS]".strip()), _prose(callback),
                        table(("argument or option", *HEADINGS[1:]), found)])  # fmt: skip


def _usage(name: str | None, words: str) -> str:
    return f"```text\ngancli {name} {words}\n```"


def _prose(callback: Callable[..., Any] | None) -> str:
    return inspect.getdoc(callback) or ""


def _meaning(one: Row) -> Row:
    """Return a row without its default, which variants choose."""
    return one._replace(default="")


def _users(variants: Mapping[str, list[Row]]) -> dict[Row, list[str]]:
    """List the variants that have each hyperparameter, with the same meaning."""
    found: dict[Row, list[str]] = defaultdict(list)
    for name, own in variants.items():
        for one in own:
            found[_meaning(one)].append(name)
    return found


def _those(names: list[str], total: int, *, listed: bool) -> str:
    """Return the variants with a hyperparameter: by name if they are few, or if others give it another meaning."""
    if len(names) == total:
        return "all"
    return ", ".join(names) if listed or len(names) <= FEW else f"{len(names)} of {total}"


# --------------------------------------------------------------------------------------------------------- rows


def rows(cls: type) -> list[Row]:
    """Return the options of a dataclass, as the command line makes them."""
    return [row(parameter) for parameter in options(cls, "")]


def row(parameter: inspect.Parameter) -> Row:
    """Return the row of one argument or option."""
    info, hint = _info(parameter), _hint(parameter)
    names = [_placeholder(parameter)] if _is_argument(parameter) else _names(parameter)
    return Row(
        ", ".join(f"`{_escaped(name)}`" for name in names),
        "" if _is_argument(parameter) else _value(info, hint),
        _default(parameter.default),
        _escaped(" ".join(info.help.split())),
    )


def _names(parameter: inspect.Parameter) -> list[str]:
    info, name = _info(parameter), option_of(parameter.name)
    # within Annotated, Typer takes the first name for a default
    declared = [word for word in (info.default, *(info.param_decls or ())) if str(word).startswith("-")]
    if not declared and _hint(parameter) is bool:
        return [name, f"--no-{name[2:]}"]
    return declared or [name]


def _value(info: Any, hint: Any) -> str:
    if info.metavar:
        return f"`{_escaped(info.metavar)}`"
    kind = get_origin(hint) or hint
    if kind is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint))
    repeated = ", repeatable" if kind is list else ""
    return _limited(WORDS[get_args(hint)[0] if repeated else hint], info.min, info.max) + repeated


def _limited(word: str, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return word
    return f"{word}, {low:g} or more" if high is None else f"{word}, {low:g} to {high:.10g}"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else ""
    if value is None or value is inspect.Parameter.empty or value == "":
        return ""
    return f"`{value:.10g}`" if isinstance(value, float) else f"`{_escaped(str(value))}`"


def _is_argument(parameter: inspect.Parameter) -> bool:
    return isinstance(_info(parameter), typer.models.ArgumentInfo)


def _placeholder(parameter: inspect.Parameter) -> str:
    """Return an argument as usage lines name it: in brackets if it may be left out, with … if there may be several."""
    name = (_info(parameter).metavar or parameter.name.upper()).rstrip(".")
    name += "…" if get_origin(_hint(parameter)) is list else ""
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"


def _info(parameter: inspect.Parameter) -> Any:
    """Return what typer.Option or typer.Argument was told."""
    assert get_origin(parameter.annotation) is Annotated, parameter
    return get_args(parameter.annotation)[1]


def _hint(parameter: inspect.Parameter) -> Any:
    """Return the type of a parameter, without None."""
    hint = get_args(parameter.annotation)[0]
    if get_origin(hint) in (Union, types.UnionType):
        return next(kind for kind in get_args(hint) if kind is not type(None))
    return hint


# -------------------------------------------------------------------------------------------------------- markdown


def table(headings: Iterable[str], found: Iterable[Iterable[str]]) -> str:
    """Return a table; cells are Markdown."""
    lines = [tuple(headings), *map(tuple, found)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return a text for a cell of a table."""
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
