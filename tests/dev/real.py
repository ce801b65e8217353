"""Score runs on Fashion-MNIST, one line per run: `python -m tests.dev.real --data FASHION --oracle FILE RUN…`.

A convolutional classifier (the oracle) is trained once on the labelled training images and stored in FILE. Class-
conditional models: how often it predicts the class that was asked for. Models that cluster: the purity of the clusters
of the test images. Models with an encoder: the error of reconstructions of the test images.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.capabilities import Classes, Classifies, Encodes, each_class
from gancli.checkpoints.find import find_model
from gancli.checkpoints.load import load_model
from gancli.data.kinds.labelled import Labelled
from gancli.data.request import Request
from gancli.system.seeds import seed_all
from tests.variants.training import CPU, purity

EPOCHS, BATCH, EACH = 2, 128, 100


def rows(path: str, split: str) -> Labelled:
    """Return all images of a split."""
    data = Labelled.open(Request(path, split=split))
    return data.batch(torch.arange(len(data)), CPU)


def network() -> nn.Sequential:
    """Return a network of two convolutions and two linear layers."""
    layers: list[nn.Module] = []
    for before, after in ((1, 24), (24, 48)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(48 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))


def oracle(data: str, kept: Path) -> nn.Module:
    """Train the classifier, or load it."""
    net = network()
    if kept.is_file():
        net.load_state_dict(load_file(kept))
        return net.eval()
    seed_all("oracle")
    train = rows(data, "train")
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    for epoch in range(EPOCHS):
        for index in torch.randperm(len(train)).split(BATCH):
            adam.zero_grad()
            F.cross_entropy(net(train.image[index]), train.label[index]).backward()
            adam.step()
        print(f"oracle: epoch {epoch + 1} of {EPOCHS}", flush=True)
    save_file(net.state_dict(), kept)
    return net.eval()


def read(net: nn.Module, image: Tensor) -> Tensor:
    """Predict the classes of images (N,)."""
    return torch.cat([net(part).argmax(1) for part in image.split(500)])


@torch.no_grad()
def figures(gan: Any, net: nn.Module, test: Labelled) -> dict[str, float]:
    """Return the scores that apply to a model."""
    found: dict[str, float] = {}
    model: Any = gan  # untyped, because isinstance narrows `gan` below
    seed_all("figures")
    if isinstance(gan, Classes) and gan.classes == model.spec.classes:
        z = each_class(gan, model.prior(EACH))
        found["agrees"] = float((read(net, model.generate(z)) == model.label_of(z)).float().mean())
    elif isinstance(gan, Classifies):
        found["purity"] = purity(gan, test)
    if isinstance(gan, Encodes):
        again = model.generate(gan.encode(test.image))
        error, other = ((x - test.image).square().mean() for x in (again, again.roll(1, 0)))
        mean = (test.image.mean(0) - test.image).square().mean()
        found |= {"error": float(error), "of_another": float(other), "of_the_mean": float(mean)}
        found["keeps_class"] = float((read(net, again) == read(net, test.image)).float().mean())
    return found


def main() -> None:
    """Score the runs on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--data", required=True)
    parser.add_argument("--oracle", type=Path, required=True)
    options = parser.parse_args()
    net, test = oracle(options.data, options.oracle), rows(options.data, "test")
    with torch.no_grad():
        print(f"oracle: {float((read(net, test.image) == test.label).float().mean()):.4f} of test images", flush=True)
    for run in options.runs:
        gan = load_model(find_model(run))
        print(run, {name: round(value, 4) for name, value in figures(gan, net, test).items()}, flush=True)


if __name__ == "__main__":
    main()
