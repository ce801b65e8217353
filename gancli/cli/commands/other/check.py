"""`gancli check`: look for damage in a run, a model or the cache."""

from typing import Annotated

import typer

from gancli.system.untrusted.terminal import say, say_json


def command(
    what: Annotated[str, typer.Argument(metavar="RUN|MODEL|cache", help="A run, a checkpoint, or the word 'cache'.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check a run, a model or the cache for damage.

    Check hashes, numbers, links, and whether a model's weights fit its description.
    Print one line per fault; the exit code is 2 if there are any.
    """
    from gancli.checkpoints import checking

    found = []
    for fault in checking.faults(what):
        found.append(fault)
        if not json:
            say(fault)
    if json:
        say_json({"checked": what, "faults": found})
    elif not found:
        say(f"{what}: no faults found")
    return 2 if found else 0
