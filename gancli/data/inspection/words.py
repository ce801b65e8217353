"""What was found in a source, in lines for people."""

from collections import Counter
from collections.abc import Iterator, Sequence

from gancli.data.inspection import totals
from gancli.data.inspection.clean import Cleaned
from gancli.data.inspection.faults import KINDS, Fault
from gancli.data.inspection.inspect import Inspection
from gancli.system.untrusted.door import printable

Row = tuple[str, str]  # heading, text

SHOWN = 10  # faults of a kind, and classes
UNEVEN = 10  # times the images of the smallest class, from which the largest is worth a warning


def rows(seen: Inspection) -> list[Row]:
    """Describe the images, and what training makes of them."""
    images, classes = seen.training, seen.count("label")
    parts = [("splits", seen.count("split")), ("domains", seen.count("domain")), ("classes", classes)]
    return [
        ("data", f"{seen.name}: {_of_all(seen)}"),
        *((heading, _counts(found)) for heading, found in parts if len(found) > 1),
        ("sizes", _counts(totals.sizes(images))),
        ("shapes", _counts(totals.shapes(images))),
        ("modes", f"{_counts(totals.modes(images))}{_transparent(seen)}"),
        ("training", _made(seen)),
        *(("warning", warning) for warning in warnings(seen)),
    ]


def warnings(seen: Inspection) -> list[str]:
    """Say what is no fault of a file, but should be known before training."""
    return [*_uneven(seen.count("label")), *_as_classes(seen), *_many_unreadable(seen)]


def fault_rows(faults: Sequence[Fault]) -> Iterator[Row]:
    """List the faults by kind, the first ten of each."""
    if not faults:
        yield "faults", "none found"
    for kind, heading in KINDS.items():
        ours = [fault for fault in faults if fault.kind == kind]
        if ours:
            yield "faults", f"{heading}: {len(ours):,}"
        yield from (("", f"  {_fault(fault)}") for fault in ours[:SHOWN])
        if len(ours) > SHOWN:
            yield "", f"  … {len(ours) - SHOWN:,} more: --json lists all"


def copy_rows(cleaned: Cleaned) -> list[Row]:
    """Say what a clean copy holds, and what it does not."""
    shown = [f"  {printable(file)} ({printable(why)})" for file, why in cleaned.left_out[:SHOWN]]
    if len(cleaned.left_out) > SHOWN:
        shown.append(f"  … {len(cleaned.left_out) - SHOWN:,} more: --json lists all")
    changed = f"{len(cleaned.renamed):,} renamed, {len(cleaned.converted):,} saved as PNG, the others byte for byte"
    return [
        ("copy", f"{cleaned.path}: {cleaned.written:,} images ({changed}); {len(cleaned.left_out):,} left out"),
        *(("", line) for line in shown),
    ]


def _fault(fault: Fault) -> str:
    names = [printable(name) for name in fault.files[:4]]
    more = f" and {len(fault.files) - 4:,} more" if len(fault.files) > 4 else ""
    return f"{' = '.join(names)}{more}" if len(fault.files) > 1 else f"{names[0]} ({fault.why})"


def _of_all(seen: Inspection) -> str:
    read = seen.own - seen.ignored - seen.unreadable
    bad = f", {seen.unreadable:,} that cannot be read" if seen.unreadable else ""
    kinds = ", ".join(f"{suffix or 'no extension'} {count:,}" for suffix, count in seen.others.most_common(4))
    other = f"; other files, which are not read: {printable(kinds)}" if seen.others else ""
    return f"{read:,} images{bad}{other}"


def _counts(found: Counter[str]) -> str:
    listed = ", ".join(f"{printable(name) or 'none'} {count:,}" for name, count in found.most_common(SHOWN))
    return listed + (f", … {len(found) - SHOWN:,} more" if len(found) > SHOWN else "")


def _transparent(seen: Inspection) -> str:
    count = sum(one.transparent for one in seen.training)
    turned = sum(one.turned for one in seen.training)
    return (f"; {count:,} with transparency" if count else "") + (f"; {turned:,} turned upright" if turned else "")


def _made(seen: Inspection) -> str:
    """Say what training makes of the images."""
    made = totals.made(seen.training)
    height, width = made.size
    said = [f"{width}x{height}, {'grey' if made.channels == 1 else 'RGB'}"]
    if made.cropped >= 0.01:
        said.append(f"centre-cropped ({made.cropped:.0%} of a typical image is cut off)")
    if any(one.transparent for one in seen.training):
        said.append("transparency laid on white (--channels 4 keeps it)")
    if made.enlarged:
        said.append(f"{made.enlarged:,} smaller images enlarged")
    return "; ".join(said)


def _uneven(classes: Counter[str]) -> Iterator[str]:
    if len(classes) > 1:
        (most, many), (least, few) = classes.most_common()[0], classes.most_common()[-1]
        if many >= UNEVEN * few:
            times = f"class {printable(most)} has {many / few:.0f} times as many images as {printable(least)}"
            yield f"{times}: a model with labels learns small classes badly"


def _as_classes(seen: Inspection) -> Iterator[str]:
    if len(splits := seen.count("split")) > 1 and not seen.count("domain").keys() - {""}:
        yield f"training on all of it would take {' and '.join(sorted(splits))} as classes: give the train folder"


def _many_unreadable(seen: Inspection) -> Iterator[str]:
    if seen.unreadable > 0.01 * (seen.own - seen.ignored):
        yield "training refuses data of which more than 1 % cannot be read: --fix DIR writes a clean copy"
