"""`gancli train VARIANT`: every variant is a subcommand with exactly its own options."""

from typing import Any

import typer

from gancli import registry
from gancli.cli.arguments import help_without_command
from gancli.cli.variants import VariantCommand, Variants
from gancli.training.options import RunOptions


class Train(VariantCommand):
    """The subcommand that trains a variant."""

    options = RunOptions

    def run(self, variant: str, values: dict[str, Any], options: RunOptions) -> int:
        """Train the variant."""
        from gancli.training.launch import launch

        return launch(variant, values, options)


class Trains(Variants):
    """The variants that can be trained."""

    command = Train

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the recommended variant if options are given, but no name."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = [registry.recommended(), *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=Trains, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _train(context: typer.Context) -> None:
    """Train a variant.

    With options but no VARIANT, train the recommended one of `gancli list`.
    `gancli train VARIANT --help` shows its options.
    """
    help_without_command(context)
