"""A small network, trained on the reference data when needed, for machines without Inception's weights.

Its Frechet distance can compare models of the same data; it is not FID and is never called FID.
"""

from collections.abc import Iterator

import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.evaluation.extractors.corruptions import KINDS, corrupt
from gancli.evaluation.image_sets import ImageSet
from gancli.images.pixels import to_floats
from gancli.system import cache
from gancli.system.progress import Tell
from gancli.system.seeds import aside
from gancli.system.untrusted.door import held_to

SIDE, CHANNELS = 32, (32, 64, 128)
SAMPLE = 20_000  # at most so many images of the reference are used for training
STEPS, BATCH, RATE = 500, 64, 2e-3
SPOILT = len(KINDS)  # it learns to recognise corruptions too, or noise could get arbitrary features
GRAIN = 0.1  # deviation of the grain on every image: without it, rounding on a constant ground counts as much as noise
LEAST = 0.1  # of a stage's median deviation: features that hardly vary must not dominate
VERSION = 4  # of all of the above and of the corruptions: after a change, networks are trained again


class Local:
    """224 features of a network trained to predict the reference's classes, or the rotation of its images.

    They are the spatial means of every stage's channels, in units of their deviation over the reference and its
    corruptions together. In units of the reference only, features that hardly vary among real images would have no
    scale: on a black ground, invisible noise was 20 deviations away. The last stage sees content but not quality: with
    it only, noise was nearer to real images than blurred real images were.
    """

    name = "local"
    inception, official = False, True
    resize = "antialiased bilinear to 32x32"
    precision = "fp32"
    batch = 256

    def __init__(self, real: ImageSet, device: torch.device, tell: Tell = lambda *_: None) -> None:
        content = real.content()
        self.weights = f"v{VERSION}-{content}"  # the version first: protocols keep the beginning
        self._device = device
        entry = cache.entry("local", content, VERSION)
        found = entry.read(_stored)
        if found is None:
            with aside("local"), entry.write() as draft:
                found = _learn(real, device, tell)
                save_file(found[0].state_dict(), draft.path / "network.safetensors")
                draft.seal({"task": found[1], "outputs": found[0].head.out_features})
        network, self.task = found
        self._network = network.to(device).eval()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> tuple[Tensor, None]:
        """Return features (N, 224)."""
        stages = self._network.stages_of(_grained(_prepared(images)).to(self._device))
        return (torch.cat(stages, 1) - self._network.mean) / self._network.deviation, None


class _Network(nn.Module):
    """Three convolutions of stride 2, with the mean and deviation of their features."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in zip((3, *CHANNELS), CHANNELS)
        )
        self.head = nn.Linear(CHANNELS[-1], outputs)
        self.register_buffer("mean", torch.zeros(sum(CHANNELS)))
        self.register_buffer("deviation", torch.ones(sum(CHANNELS)))
        self.mean: Tensor
        self.deviation: Tensor

    def stages_of(self, x: Tensor) -> list[Tensor]:
        """Return channel means (N, C) of every stage for images (N, 3, 32, 32) in [-1, 1]."""
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x.mean((2, 3)))
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, outputs)."""
        return self.head(self.stages_of(x)[-1])

    @torch.no_grad()
    def standardise(self, images: Tensor) -> None:
        """Store the mean and deviation of the features over images and their corruptions."""
        both = [side for part in images.split(BATCH) for side in (part, corrupt(part)[0])]
        parts = [self.stages_of(_grained(part)) for part in both]
        stages = [torch.cat(stage) for stage in zip(*parts)]
        deviations = [stage.std(0) for stage in stages]
        self.mean.copy_(torch.cat([stage.mean(0) for stage in stages]))
        self.deviation.copy_(torch.cat([d.clamp_min(LEAST * float(d.median()) + 1e-6) for d in deviations]))


def _stored(kept: cache.Kept) -> tuple[_Network, str]:
    network = _Network(held_to(kept.about["outputs"], int))
    network.load_state_dict(load(kept.load("network.safetensors")))
    return network, held_to(kept.about["task"], str)


def _prepared(images: Tensor) -> Tensor:
    if images.shape[2:] != (SIDE, SIDE):
        images = F.interpolate(images.float(), (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return to_floats(images)


def _grained(x: Tensor) -> Tensor:
    """Add one pattern of grain to all images, so that features do not depend on the order of images."""
    return x + GRAIN * torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(0))


def _learn(real: ImageSet, device: torch.device, tell: Tell) -> tuple[_Network, str]:
    images, labels = _sample(real)
    classes = int(labels.max()) + 1 if labels is not None else 0
    task, outputs = ("classes", classes) if classes > 1 else ("rotation", 4)
    network = _Network(outputs + SPOILT).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    for step, index in enumerate(_indices(len(images)), start=1):
        x, y = images[index], torch.randint(4, (len(index),))
        if labels is not None and task == "classes":
            y = labels[index]
        else:
            x = torch.stack([image.rot90(int(k), (1, 2)) for image, k in zip(x, y)])
        bad, kind = corrupt(x[: len(x) // 2])
        x, y = torch.cat([x, bad]), torch.cat([y, outputs + kind])
        x += GRAIN * torch.randn_like(x)
        optimiser.zero_grad()
        F.cross_entropy(network(x.to(device)), y.to(device)).backward()
        optimiser.step()
        rates.step()
        tell("training the local extractor", step * BATCH, STEPS * BATCH)
    network = network.eval().cpu()
    network.standardise(images)
    return network, task


def _sample(real: ImageSet) -> tuple[Tensor, Tensor | None]:
    parts = [_prepared(batch) for batch in real.batches(BATCH)]
    images = torch.cat(parts)
    kept = torch.randperm(len(images))[:SAMPLE]
    whole = real.labels is not None and len(real.labels) == len(images) and int(real.labels.min()) >= 0
    return images[kept], real.labels[kept] if whole and real.labels is not None else None


def _indices(n: int) -> Iterator[Tensor]:
    for _ in range(STEPS):
        yield torch.randint(n, (min(BATCH, max(n, 2)),))
