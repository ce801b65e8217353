"""Commands with one subcommand per variant, which has exactly that variant's options: `train` and `bench`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from gancli import registry
from gancli.cli.options import with_options
from gancli.errors import UserError
from gancli.hparams import HParams
from gancli.system.loading import load_torch
from gancli.system.untrusted import terminal
from gancli.training.options import OF_SOME_DATA

PANELS = ("Hyperparameters", "Data", "Length", "Run")


class VariantCommand(TyperCommand):
    """The subcommand of one variant; it reads the variant's hyperparameters only when needed."""

    options: ClassVar[type]  # dataclass of the options besides the variant's hyperparameters
    given: frozenset[str] = frozenset()  # options given on the command line

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and remember which options were given: presets may replace the other defaults."""
        sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
        self.given = frozenset(name for name, source in sources.items() if source and source.name != "DEFAULT")
        load_torch()
        return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options; raise UserError for other words, which most often are data, or a run."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if ctx.args:
            said = f"{self.name} {' '.join(ctx.args)}: after the variant, there are only options"
            what = "the run as --out" if ctx.params.get("resume") else "data as --data"
            raise UserError(f"{said}; give {what} {ctx.args[0]}")
        return rest

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its options."""
        if self.callback is None:
            self.callback, self.params = self._build()
        return super().get_params(ctx)

    def _build(self) -> tuple[Callable[..., Any] | None, list[Any]]:
        variant = str(self.name)

        def command(hparams: HParams, options: Any) -> int:
            values = dataclasses.asdict(hparams)
            terminal.hush(options.quiet)
            return self.run(variant, {name: values[name] for name in values if name in self.given}, options)

        known = registry.data_options(variant)
        idle = set() if known is None else OF_SOME_DATA - known
        groups = {"Hyperparameters": registry.hyperparameters(variant), "Run": self.options}
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command()(with_options(command, groups, idle))
        built = typer.main.get_command(app)
        return built.callback, built.params

    def run(self, variant: str, values: dict[str, Any], options: Any) -> int:
        """Run the command with the given hyperparameters and return the exit code."""
        raise NotImplementedError

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, grouped by panel."""
        panels: dict[str, list[tuple[str, str]]] = {panel: [] for panel in PANELS}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                panels[getattr(param, "rich_help_panel", None) or "Run"].append(record)
        for panel, records in panels.items():
            if records:
                with formatter.section(panel):
                    formatter.write_dl(records)


class Variants(TyperGroup):
    """The group of variants' subcommands."""

    command: ClassVar[type[VariantCommand]]

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all installed variants."""
        return registry.names()

    def get_command(self, ctx: Any, cmd_name: str) -> VariantCommand | None:
        """Find a variant by name or file. Raise UserError if it is unknown."""
        about = registry.describe(cmd_name)
        short = about.purpose or about.summary
        return self.command(
            name=cmd_name, help=f"{about.summary}\n\n{about.idea}", short_help=short, rich_markup_mode=None
        )

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name the arguments as README does."""
        del ctx
        return ["VARIANT [OPTIONS]"]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a row for every variant: what it is for."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Variants"):
            formatter.write_dl([(name, variant.get_short_help_str(60)) for name, variant in found if variant])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Explain a missing variant name instead of reporting an unknown variant."""
        if args and args[0].startswith("-"):
            raise UserError(f"name the variant first: gancli {ctx.info_name} VARIANT {args[0]} …")
        if args and args[0] not in registry.names() and _is_data(args[0]):
            raise UserError(
                f"{args[0]} is not a variant: name the variant first, as in gancli {ctx.info_name} "
                f"{registry.recommended()} --data {args[0]}"
            )
        return super().resolve_command(ctx, args)


def _is_data(word: str) -> bool:
    """Return whether a word that names no variant is a path, which people give for --data; a .py file is a variant."""
    return not word.endswith(".py") and ("/" in word or Path(word).exists())
