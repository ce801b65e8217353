"""`gancli list` and `gancli info`."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli import registry
from gancli.system.untrusted.terminal import say, say_json

if TYPE_CHECKING:
    from gancli.checkpoints.find import Model

HEADINGS = {  # by what published models do
    "sample": "generate images: gancli sample NAME",
    "translate": "translate images: gancli translate NAME IMAGE",
    "enlarge": "enlarge images: gancli translate NAME IMAGE",
}
NOT_OF_RUN = "data", "digest", "architecture"  # in the row `run`: other rows tell them, or nobody reads them
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_variants(
    json: Json = False,
    published: Annotated[
        bool, typer.Option("--published", help="List published models, with their URLs and licences.")
    ] = False,
) -> None:
    """List the variants, with their purpose, data and authors."""
    if published:
        _list_published(json)
        return
    entries = [registry.describe(name) for name in registry.names()]
    if json:
        say_json([dataclasses.asdict(entry) for entry in entries], indent=2)
        return
    rows = [
        (entry.name + " *" * entry.recommended, entry.purpose, entry.data or "?", entry.citation) for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        say("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip())
    say(f"* recommended for its kind of data; gancli train --data SRC trains {registry.recommended()}")


def _list_published(json: bool) -> None:
    """List the published models by what they do; a command that names one downloads it the first time."""
    from gancli.checkpoints import published

    found = {name: model for name in published.names() if (model := published.find(name))}
    urls = {name: published.url(model) for name, model in found.items()}
    if json:
        say_json(
            {name: {"does": m.does, "url": urls[name], "licence": m.licence} for name, m in found.items()}, indent=2
        )
        return
    width = max(map(len, found))
    for does in dict.fromkeys(model.does for model in found.values()):
        say(HEADINGS[does])
        for name, model in found.items():
            if model.does == does:
                say(f"  {name:<{width}}  {urls[name]}  ({model.licence})")


def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A checkpoint, a run folder, or a run under ./runs.")],
    json: Json = False,
) -> None:
    """Describe a checkpoint.

    Print its variant, data, hyperparameters and length of training.
    """
    from gancli.checkpoints import checkpoint
    from gancli.checkpoints.find import find_model

    found = find_model(model)
    about = dataclasses.asdict(found.about)
    about |= {"path": str(found.path), "sha256": found.fingerprint, "resumes": checkpoint.resumes(found.path)}
    about["truncation"], why = _truncation(found)
    if json:
        say_json(about, indent=2)
        return
    spec, run = found.about.spec, about["run"]
    rows = {
        "checkpoint": f"{found.path} (sha256 {found.fingerprint}…)",
        "variant": _summary(found.about.variant),
        "data": f"{run.get('data', '?')}, {spec.width}x{spec.height}, {spec.channels} channels",
        **({} if "imported" in run else _training(about)),
        "truncation": about["truncation"] or f"none: {why}",
        "run": ", ".join(f"{name} {value}" for name, value in run.items() if name not in NOT_OF_RUN),
        "options": ", ".join(f"{name} {value}" for name, value in _options(about).items()),
    }
    for name, value in rows.items():
        say(f"{name:<11} {value}")


def _training(about: dict[str, Any]) -> dict[str, str]:
    """Return the rows on how a model was trained here."""
    clock = about["clock"]
    return {
        "trained": f"{_kimg(clock, 'images')} of {_kimg(clock, 'total')} kimg, {clock.get('step', 0):,} steps",
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in about["metrics"].items()) or "none",
        "can resume": "yes" if about["resumes"] else "no: inference weights only",
    }


def _options(about: dict[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters: of an imported model only those of its networks, for it was trained elsewhere."""
    names = about["run"].get("architecture")
    if "imported" not in about["run"] or not isinstance(names, str):
        return about["hparams"]
    return {name: value for name, value in about["hparams"].items() if name in names.split()}


def _truncation(model: "Model") -> tuple[str | None, str]:
    """Return how a model truncates, or None and why it cannot; a user's .py file is not run for that."""
    from gancli.checkpoints import checkpoint
    from gancli.checkpoints.load import kind_of
    from gancli.inference.sampling.truncation import refusal, way_of

    if model.about.variant not in (*registry.names(), *registry.imported()):
        return None, f"unknown: info does not run {model.about.variant}"
    kind = kind_of(model.about)
    why = refusal(kind, checkpoint.networks(model.path))
    return (None, why) if why else (way_of(kind), "")


def _summary(variant: str) -> str:
    known = variant in (*registry.names(), *registry.imported())
    return registry.describe(variant).summary if known else variant


def _kimg(clock: dict[str, int], name: str) -> str:
    return f"{clock.get(name, 0) / 1000:g}"
