"""`gancli eval --dissect`: which units of a generator match which concepts, and what they do (Bau et al. 2019)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gancli.capabilities import Samples
from gancli.checkpoints.find import Model, find_model
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.evaluation.dissection import concepts as known
from gancli.evaluation.dissection import unit_sheet
from gancli.evaluation.dissection.concepts import Concepts
from gancli.evaluation.dissection.dissected import Dissected
from gancli.evaluation.dissection.effects import IMAGES, Units, effect_of, how_many
from gancli.evaluation.dissection.layers import choose, feature_maps
from gancli.evaluation.dissection.masks import open_masks
from gancli.evaluation.dissection.survey import GRID, Survey, Tally, latents_of, survey
from gancli.gan import GAN
from gancli.images.writing import save_png
from gancli.metrics.dissection import MATCHED, Match, matches
from gancli.system.progress import Tell
from gancli.system.versions import versions

DEFAULT = 1000  # images: the paper's number for effects
FEWEST = 4  # images with known concepts: two that choose thresholds, and two that score
CHANGED = 4  # concepts of a layer whose units are ablated and inserted


@dataclass(frozen=True, kw_only=True)
class DissectRequest:
    """What to dissect."""

    model: str
    picture: Path
    layers: str
    data: str | None = None
    masks: Path | None = None
    n: int | None = None
    seed: int = 0
    best: bool = False


def dissect(request: DissectRequest, device: torch.device, tell: Tell) -> dict[str, Any]:
    """Dissect a model, save a sheet of its units, and return the report; raise UserError if it cannot be dissected."""
    model = find_model(request.model, best=request.best)
    gan = _load(model, request.model)
    size = gan.spec.height, gan.spec.width
    masks = open_masks(request.masks) if request.masks else None
    concepts = known.of_masks(masks, size) if masks else known.of_shapes(request.data, size)
    seeds = tuple(masks.files) if masks else tuple(range(request.seed, request.seed + (request.n or DEFAULT)))
    seeds = seeds[: request.n]
    z = latents_of(gan, seeds)
    gan = gan.to(device)
    layers = choose(feature_maps(gan, z[:1].repeat(3, 1)), request.layers, request.model, gan.spec.height)
    seen = survey(gan, layers, concepts, z, seeds, tell)
    if len(seen.known) < FEWEST:
        raise UserError(
            f"--dissect: the concepts of only {len(seen.known)} of {len(seeds)} images are known; "
            f"at least {FEWEST} are needed: give a larger -n, or a better model"
        )
    found = [_dissected(gan, tally, seen, concepts) for tally in seen.tallies]
    about = {"of": request.model, "checkpoint": model.fingerprint, "seeds": [seeds[0], seeds[-1]]}
    save_png(unit_sheet.picture(gan, seen, found), request.picture, about)
    return _report(model, request.model, seeds, concepts, seen, found)


def _load(model: Model, name: str) -> GAN[Any]:
    if model.about.spec.points:
        raise UserError(f"--dissect: {name} generates points, which have no feature maps")
    gan = load_model(model)
    if not isinstance(gan, Samples):
        raise UserError(f"--dissect: {name} does not generate images from latents: give a model that does")
    return gan


def _dissected(gan: GAN[Any], tally: Tally, seen: Survey, concepts: Concepts) -> Dissected:
    members = concepts.members.to(gan.device)
    present = _present(tally, members)
    names = tuple(concepts.names[c] for c in present.tolist())
    assert tally.bounds is not None
    match = Match(*(table.cpu() for table in matches(tally.counts, tally.bounds, members[:, present])))
    found = Dissected(tally, names, match, [])
    means = tally.means(members[:, present]).cpu()
    for concept, _ in found.best[:CHANGED]:
        c = names.index(concept)
        chosen = match.iou[:, c].topk(how_many(tally.layer.units)).indices
        found.effects.append(effect_of(gan, seen, concepts, concept, Units(tally.layer, chosen, means[:, c])))
    return found


def _present(tally: Tally, members: Tensor) -> Tensor:
    """Return the concepts that both halves of the images show; raise UserError if there are none."""
    of_halves = [counts[0].sum(1).double() @ members.double() for counts in tally.counts]
    present = (torch.stack(of_halves) > 0).all(0).nonzero()[:, 0]
    if not len(present):
        raise UserError("--dissect: no concept is present in the images, or in too few of them: give a larger -n")
    return present


# ---------------------------------------------------------------------------------------------- report


def _report(
    model: Model, name: str, seeds: tuple[int, ...], concepts: Concepts, seen: Survey, found: list[Dissected]
) -> dict[str, Any]:
    layers = {part.layer.name: _layer(part) for part in found}
    detected = {match["concept"] for layer in layers.values() for match in layer["units"] if match["iou"] > MATCHED}
    matched = sum(layer["matched"] for layer in layers.values())
    generated = {"model": name, "checkpoint": model.fingerprint, "images": len(seeds), "ema": True}
    return {
        "metrics": {"units_matched": matched, "concepts_matched": len(detected)},
        "dissection": layers,
        "protocol": {
            "generated": generated | {"seeds": [seeds[0], seeds[-1]], "read": len(seen.known)},
            "concepts": concepts.source,
            "grid": list(seen.label.shape[1:]),
            "largest_grid": GRID,
            "matched": f"IoU > {MATCHED}, on every other image; thresholds of the largest IQR on the others",
            "effects": f"{IMAGES} images with the most of the concept (ablation) and with the least (insertion)",
            "versions": versions(),
        },
    }


def _layer(part: Dissected) -> dict[str, Any]:
    iou, concept = part.match.iou.max(1)
    units = [{"concept": part.names[c], "iou": value} for c, value in zip(concept.tolist(), iou.tolist())]
    return {
        "size": f"{part.layer.width}x{part.layer.height}",
        "matched": part.matched,
        "concepts": [{"concept": name, "index": unit, **part.scores(name, unit)} for name, unit in part.best],
        "effects": [
            {"concept": e.concept, "units": e.units, "ablation": e.ablation, "insertion": e.insertion}
            for e in part.effects
        ],
        "units": units,
    }
