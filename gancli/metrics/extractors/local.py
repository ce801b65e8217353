"""A small network trained here and now on the reference data, for machines without Inception's weights.

Its Frechet distance compares models of the same data with each other; it is not FID and is never called so.
"""

import json
from collections.abc import Iterator

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data import cache
from gancli.metrics.sides import Side
from gancli.train import aside

SIDE, FEATURES = 32, 128
SAMPLE = 20_000  # images of the reference that it is trained on, at most
STEPS, BATCH, RATE = 500, 64, 2e-3
VERSION = 1  # of all of the above: a change makes new networks


class Local:
    """128 features of a network that learnt the classes of the reference, or which way up its images are."""

    name = "local"
    inception, official = False, True
    resize = "antialiased bilinear to 32x32"
    precision = "fp32"
    batch = 256

    def __init__(self, real: Side, device: torch.device) -> None:
        content = real.content()
        self.weights = f"{content}-v{VERSION}"
        self._device = device
        entry = cache.entry("local", content, VERSION)
        if (about := entry.read()) is None:
            with aside("local"), entry.write() as folder:
                network, task = _learn(real, device)
                save_file(network.state_dict(), folder / "network.safetensors")
                about = {"task": task, "outputs": network[-1].out_features}
                (folder / cache.ABOUT).write_text(json.dumps(about))
        self.task: str = about["task"]
        network = _network(about["outputs"])
        network.load_state_dict(load_file(entry.path / "network.safetensors"))
        self._network = network.to(device).eval()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, 128) and logits of what it learnt."""
        features = self._network[:-1](_prepared(images).to(self._device))
        return features, self._network[-1](features)


def _network(outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, FEATURES)):
        layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(FEATURES, outputs))


def _prepared(images: Tensor) -> Tensor:
    if images.shape[2:] != (SIDE, SIDE):
        images = F.interpolate(images.float(), (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return images.float() / 127.5 - 1


def _learn(real: Side, device: torch.device) -> tuple[nn.Sequential, str]:
    images, labels = _sample(real)
    classes = int(labels.max()) + 1 if labels is not None else 0
    task = "classes" if classes > 1 else "rotation"
    network = _network(classes if classes > 1 else 4).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    for index in _indices(len(images)):
        x = images[index].to(device)
        y = labels[index] if labels is not None and classes > 1 else torch.randint(4, (len(index),))
        x = x if task == "classes" else torch.stack([image.rot90(int(k), (1, 2)) for image, k in zip(x, y)])
        optimiser.zero_grad()
        F.cross_entropy(network(x), y.to(device)).backward()
        optimiser.step()
        rates.step()
    return network.eval().cpu(), task


def _sample(real: Side) -> tuple[Tensor, Tensor | None]:
    parts = [_prepared(batch) for batch in real.batches(BATCH)]
    images = torch.cat(parts)
    kept = torch.randperm(len(images))[:SAMPLE]
    whole = real.labels is not None and len(real.labels) == len(images) and int(real.labels.min()) >= 0
    return images[kept], real.labels[kept] if whole and real.labels is not None else None


def _indices(n: int) -> Iterator[Tensor]:
    for _ in range(STEPS):
        yield torch.randint(n, (min(BATCH, max(n, 2)),))
