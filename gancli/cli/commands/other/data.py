"""`gancli data SRC`: check images before training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.errors import UserError
from gancli.system.untrusted.terminal import say, say_json

if TYPE_CHECKING:
    from gancli.data.inspection.clean import Cleaned
    from gancli.data.inspection.inspect import Inspection
    from gancli.training.advice import Advice

PARTS = {"splits": "split", "domains": "domain", "classes": "label"}  # by the names in JSON


def command(
    src: Annotated[
        str, typer.Argument(metavar="SRC", help="What --data takes: a folder, an archive, an .npz, idx files, a name.")
    ],
    test: Annotated[
        str | None,
        typer.Option(help="Test images: report those that also occur in SRC. Give SRC itself for its test split."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Split to check, for data sets that have splits: train or test.")
    ] = "train",
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet to this .png.")] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            help="Write a clean copy to this new folder: without unreadable files, copies and images of a single "
            "colour, with file extensions mended. SRC stays as it is."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 2 if there are faults.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with all faults.")] = False,
) -> int:
    """Check images before training.

    Print sizes, modes, classes, what training makes of the images, and what is wrong with them: files that cannot be
    read or have a wrong extension, copies (also saved again or rescaled), images of a single colour, odd sizes and
    shapes, animations, and test images among the training images. Then print the command that trains on them.
    Exit with code 0 whatever is found, unless --strict is given. Nothing is written without --sheet or --fix.
    """
    from gancli.data.inspection import clean
    from gancli.data.inspection.inspect import inspect
    from gancli.data.inspection.sheet import contact_sheet
    from gancli.data.request import Request
    from gancli.system import atomic
    from gancli.system.progress import progress
    from gancli.training.advice import advise

    if sheet is not None:
        _check_sheet(sheet)
    if fix is not None:
        clean.check_target(fix, src)
    with progress() as tell:
        seen = inspect(Request(src, split=split), test, tell)
        cleaned = clean.write_copy(seen, fix, tell) if fix is not None else None
        if sheet is not None:
            with atomic.replacing(sheet) as temporary:
                contact_sheet(seen).save(temporary, "PNG")
    advice = advise(seen, str(fix) if fix is not None else src)
    if json:
        say_json(_report(seen, advice, cleaned, sheet))
    else:
        _print(seen, advice, cleaned, sheet)
    return 2 if strict and seen.faults else 0


def _check_sheet(sheet: Path) -> None:
    from gancli.system import atomic

    if sheet.suffix.lower() != ".png":
        raise UserError(f"--sheet {sheet} is not a .png file: give a name that ends in .png")
    atomic.check_place(sheet)


def _print(seen: "Inspection", advice: "Advice", cleaned: "Cleaned | None", sheet: Path | None) -> None:
    from gancli.data.inspection import words

    rows = [*words.rows(seen), *words.fault_rows(seen.faults), *(("", line) for line in seen.unchecked)]
    if cleaned:
        rows += words.copy_rows(cleaned)
    if sheet is not None:
        rows.append(("sheet", str(sheet)))
    rows += [("next", advice.command), *(("", note) for note in advice.notes)]
    for heading, text in rows:
        say(f"{heading:<10}{text}")


def _report(seen: "Inspection", advice: "Advice", cleaned: "Cleaned | None", sheet: Path | None) -> dict[str, Any]:
    import dataclasses

    from gancli.data.inspection import totals, words

    images, made = seen.training, totals.made(seen.training)
    kinds = [fault.kind for fault in seen.faults]
    return {
        "name": seen.name,
        "images": len(images),
        "unreadable": seen.unreadable,
        "other_files": dict(seen.others),
        **{name: {part: count for part, count in seen.count(field).items() if part} for name, field in PARTS.items()},
        "sizes": dict(totals.sizes(images)),
        "shapes": dict(totals.shapes(images)),
        "modes": dict(totals.modes(images)),
        "transparent": sum(one.transparent for one in images),
        "turned": sum(one.turned for one in images),
        "training": {"height": made.size[0], "width": made.size[1], "channels": made.channels,
                     "cropped": made.cropped, "enlarged": made.enlarged},
        "warnings": words.warnings(seen),
        "faults": [fault._asdict() for fault in seen.faults],
        "counts": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        "not_checked": seen.unchecked,
        "advice": dataclasses.asdict(advice),
        "fix": cleaned and {**dataclasses.asdict(cleaned), "path": str(cleaned.path),
                            "left_out": [out._asdict() for out in cleaned.left_out]},
        "sheet": sheet and str(sheet),
    }  # fmt: skip
