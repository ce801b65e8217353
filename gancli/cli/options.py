"""Turn dataclasses into Typer options."""

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, get_type_hints

import typer

from gancli.hparams import AUTO, option_of, words


def options(cls: type, panel: str, without: Collection[str] = ()) -> list[inspect.Parameter]:
    """Return one keyword option for each field of a dataclass, with its help, range, panel and default."""
    hints = get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if field.name not in without]
    return [_option(cls, field, hints[field.name], panel) for field in fields]


def _option(cls: type, field: "dataclasses.Field[Any]", hint: Any, panel: str) -> inspect.Parameter:
    stated = words(cls, field.name)
    # Typer allows a range only for numbers
    limits: dict[str, Any] = {key: stated[key] for key in ("min", "max") if stated[key] is not None}
    if stated.get("auto"):
        limits = {"parser": _number_or_auto, "metavar": "INTEGER|auto"}
    if hint == list[str] | None:
        limits = {"metavar": "TEXT"}  # not Typer's <list[str]>
    reserved = [option_of(field.name)] if field.name.endswith("_") else []  # Typer names all others likewise
    option = typer.Option(*reserved, help=stated["help"], rich_help_panel=stated["panel"] or panel, **limits)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[hint, option], default=field.default
    )


def _number_or_auto(text: str) -> int:
    if str(text).strip().lower() == "auto":
        return AUTO
    try:
        number = int(text)
    except ValueError:
        number = AUTO
    if number == AUTO:
        raise typer.BadParameter(f"{text} is not allowed: give a whole number above 0, or auto")
    return number


def with_options(
    run: Callable[..., Any], groups: Mapping[str, type], without: Collection[str] = ()
) -> Callable[..., Any]:
    """Return a function for Typer whose options are the fields of `groups`; it passes instances of them to `run`.

    Fields named in `without` keep their defaults and get no option.
    """

    def command(**values: Any) -> Any:
        fields = {cls: {f.name for f in dataclasses.fields(cls)} & values.keys() for cls in groups.values()}
        return run(*(cls(**{name: values[name] for name in names}) for cls, names in fields.items()))

    parameters = [option for panel, cls in groups.items() for option in options(cls, panel, without)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__doc__ = run.__doc__
    return command
