"""Check that the scores rank better images first, with models that were trained for half and for the whole of a run.

    python tests/dev/bench/rank.py --data FASHION --pairs half0.safetensors:whole0.safetensors … [--extractor local]

For every pair, the Frechet distances to the training images should be ordered: held-out real images < trained <
half-trained < noise. Then every score compares the last trained model with itself (another seed), its training data and
noise. Last is the share of copies: for 100 training images that repeat, for held-out real images and for the model.
Print the tables of docs/evaluation.md, and exit with 1 if an order is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from gancli.data.feed import Feed
from gancli.data.kinds.images import Images
from gancli.data.request import Request, Wanted
from gancli.evaluation import extract
from gancli.evaluation.evaluate import MEMORISED
from gancli.evaluation.extractors.extractor_table import EXTRACTORS, LOCAL, make_extractor
from gancli.evaluation.image_sets import DRAWN, Arrays, GeneratedImages, ImageSet
from gancli.metrics import fid, scores, table
from gancli.metrics.features import Features

N, REALS = 2000, 10_000
CPU = torch.device("cpu")
ALONE = ("is", "copies", "fid-per-class", "fid-jackknife")  # not distances between two sets of images


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--pairs", nargs="+", required=True, metavar="HALF:WHOLE")
    parser.add_argument("--extractor", default=LOCAL, choices=list(EXTRACTORS))
    asked = parser.parse_args()

    train, test = (_reals(asked.data, split) for split in ("train", "test"))
    extractor = make_extractor(asked.extractor, train, CPU)
    noise = torch.randint(0, 256, (N, *train.images.shape[1:]), generator=torch.Generator().manual_seed(0))

    def features(images: ImageSet) -> Features:
        return extract.collect(images, extractor, ["kid", "mode-score"], lambda *_: None)

    real, blank = features(train), features(Arrays("noise", noise.to(torch.uint8)))
    held_out = features(test)
    right = _table_of_pairs(asked.pairs, asked.data, features, real, held_out, blank)
    whole = asked.pairs[-1].split(":")[1]
    sides = [features(_model(whole, asked.data, seed)) for seed in (0, 1)]
    right &= _table_of_scores(sides[0], sides[1], real, blank)
    replay = features(Arrays("replay", train.images[train.index[torch.arange(N) % 100]]))
    right &= _table_of_copies(
        {"100 training images": replay, "held-out real images": held_out, "model": sides[0]}, real
    )
    return 0 if right else 1


def _reals(data: str, split: str) -> Arrays:
    dataset = Images.open(Request(data, Wanted(None), split))
    return Arrays(
        data, dataset.columns["image"], split, dataset.columns.get("label"), n=REALS if split == "train" else N
    )


def _model(path: str, data: str, seed: int) -> GeneratedImages:
    found = find_model(path)
    dataset = Images.open(Request(data, Wanted((found.about.spec.height, found.about.spec.width)), "train"))
    gan, feed = load_model(found), Feed(dataset, DRAWN, seed, CPU)
    return GeneratedImages(Path(path).stem, lambda first: gan.fakes(feed.at(first)), N, seed)


def _table_of_pairs(pairs: Sequence[str], data: str, features, real: Features, test: Features, noise: Features) -> bool:
    print("| models | held-out real images | trained | half-trained | noise | in order |\n|---|---|---|---|---|---|")
    right = True
    for pair in pairs:
        half, whole = (features(_model(path, data, 0)) for path in pair.split(":"))
        values = [fid.frechet(side, real) for side in (test, whole, half, noise)]
        right &= (good := values == sorted(values))
        print(f"| {pair} | {' | '.join(f'{value:.4g}' for value in values)} | {'yes' if good else 'NO'} |")
    return right


def _table_of_scores(model: Features, again: Features, real: Features, noise: Features) -> bool:
    without = {*ALONE, *(metric.score for metric in table.METRICS if table.PAIRS in metric.needs)}
    without |= {"mode-score"} if model.logits is None else set()
    names = [name for name in scores.SCORES if name not in without]
    columns = [scores.measure(names, model, other, inception=False) for other in (again, real, noise)]
    print("\n| score | itself, another seed | its training data | noise | in order |\n|---|---|---|---|---|")
    right = True
    for name in columns[0]:
        if not table.metric(name).judges:
            continue
        values = [column[name] for column in columns]
        right &= (good := values == sorted(values, key=lambda value: -table.selection_score({name: value})))
        print(f"| {name} | {' | '.join(f'{value:.4g}' for value in values)} | {'yes' if good else 'NO'} |")
    return right


def _table_of_copies(sides: dict[str, Features], real: Features) -> bool:
    """Return whether the first set, which repeats training images, and only that one is reported as memorised."""
    print("\n| images | copies of training images | reported as memorised |\n|---|---|---|")
    called = []
    for name, side in sides.items():
        share = scores.measure(["copies"], side, real, inception=False)["copies"]
        called.append(share > MEMORISED)
        print(f"| {name} | {share:.1%} | {'yes' if called[-1] else 'no'} |")
    return called[0] and not any(called[1:])


if __name__ == "__main__":
    sys.exit(main())
