"""Extract features from images once: the features of a reference are cached."""

from dataclasses import replace

from safetensors.torch import load, save_file
from torch import Tensor

from gancli.errors import UserError
from gancli.evaluation.extractors.extractor import Extractor
from gancli.evaluation.image_sets import ImageSet, Share
from gancli.metrics import fid, table
from gancli.metrics.features import Collector, Features, Moments
from gancli.system import cache, dist
from gancli.system.progress import Tell
from gancli.system.untrusted.door import held_to
from gancli.system.untrusted.terminal import warn


def cached(real: ImageSet, extractor: Extractor, names: list[str], tell: Tell) -> Features:
    """Return the features of a reference, from the cache if this network has already processed the same images."""
    rows, logits = needs(names, real.count)
    key = (real.content(), extractor.name, extractor.weights, extractor.precision, rows, logits)
    entry = cache.entry("features", *key)
    stored = entry.read(_stored)
    counts = dist.gathered(None if stored is None else stored.count)
    if stored is None or None in counts:  # all processes are needed to collect
        features = collect(real, extractor, names, tell)
        _keep(entry, features)
        return features
    return replace(stored, labels=_labels(real, stored.count))


def _stored(kept: cache.Kept) -> Features:
    tensors = load(kept.load("features.safetensors"))
    moments = Moments(held_to(kept.about["count"], int), tensors["mean"], tensors["scatter"])
    return Features(moments, tensors.get("rows"), tensors.get("logits"))


def _keep(entry: cache.Entry, features: Features) -> None:
    tensors = _tensors(features)
    try:
        with entry.write(sum(tensor.nbytes for tensor in tensors.values())) as draft:
            save_file(tensors, draft.path / "features.safetensors")
            draft.seal({"count": features.count})
    except cache.Full as error:  # the computed features can still be used
        warn(f"the features of the real images were not cached: {error}")


def _tensors(features: Features) -> dict[str, Tensor]:
    tensors = {"mean": features.moments.mean, "scatter": features.moments.scatter}
    tensors |= {} if features.rows is None else {"rows": features.rows}
    tensors |= {} if features.logits is None else {"logits": features.logits}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def needs(names: list[str], count: int) -> tuple[bool, bool]:
    """Return whether to keep rows (always for few images), and whether to keep logits."""
    wanted = {need for name in names for need in table.needs_of(name)}
    return count <= fid.MANY or table.ROWS in wanted, table.LOGITS in wanted


def collect(side: ImageSet, extractor: Extractor, names: list[str], tell: Tell) -> Features:
    """Extract the features of all images of a set; several processes share its batches."""
    rows, logits = needs(names, side.count)
    collector = Collector(keep_rows=rows, keep_logits=logits)
    done, share = 0, Share(dist.rank() % dist.world(), dist.world())
    for place, batch in side.placed(extractor.batch, share):
        collector.add(place, *extractor(batch))
        done += len(batch)
        tell(side.name, min(done * share.of, side.count), side.count)
    features = collector.features()
    if features.count < 2:
        raise UserError(
            f"{side.name} contains {features.count} readable images: scores need at least two real and two generated"
        )
    return replace(features, labels=_labels(side, features.count))


def _labels(side: ImageSet, count: int) -> Tensor | None:
    return side.labels if side.labels is not None and len(side.labels) == count else None
