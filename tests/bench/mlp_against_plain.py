"""Images a second of `gancli train gan` beside the program that tutorials write for the same networks.

    python tests/bench/mlp_against_plain.py --data FASHION [--seconds 20] [--windows 5]

FASHION: a folder with Fashion-MNIST's idx files. Both run in one process, in turns of a window each, on the same
machine, networks, batch and optimiser; each window counts whole steps, loading included. Medians are printed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from gancli.data import arrays
from gancli.data.feed import Feed
from gancli.data.images import Images
from gancli.data.sources import Request
from gancli.ema import EMA
from gancli.gan import Clock
from gancli.run import Folder
from gancli.step import Meter
from gancli.train import Training
from gancli.variants.gan import HParams, OriginalGAN

BATCH = 64


class IdxImages(MNIST):
    """torchvision's MNIST reading: one PIL image at a time, through transforms."""

    def __init__(self, folder: Path) -> None:
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
        self.target_transform = None
        found = arrays.idx_files(folder, "train")
        assert found is not None
        self.data = torch.from_numpy(arrays.read_idx(found[0]).copy())
        self.targets = torch.zeros(len(self.data), dtype=torch.int64)


def plain(folder: Path) -> Iterator[None]:
    """One step at a time of the tutorial's program."""
    generator = nn.Sequential(
        nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(),
        nn.Linear(1024, 784), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Linear(784, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 512), nn.LeakyReLU(0.2),
        nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1), nn.Sigmoid(),
    )  # fmt: skip
    criterion = nn.BCELoss()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4)
    loader = DataLoader(IdxImages(folder), batch_size=BATCH, shuffle=True, drop_last=True)
    while True:
        for images, _ in loader:
            real = images.view(BATCH, -1)
            ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
            d_loss = criterion(discriminator(real), ones)
            fake = generator(torch.randn(BATCH, 100))
            d_loss = d_loss + criterion(discriminator(fake), zeros)
            d_optimizer.zero_grad()
            g_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            g_loss = criterion(discriminator(generator(torch.randn(BATCH, 100))), ones)
            d_optimizer.zero_grad()
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            _ = d_loss.item(), g_loss.item()
            yield


def ours(folder: Path) -> Iterator[None]:
    """One step at a time of the loop, with its defaults: fresh noise, EMA, meters."""
    dataset = Images.open(Request(str(folder)))
    gan = OriginalGAN(HParams(batch=BATCH, beta1=0.9), dataset.spec)
    training = Training(
        gan, gan.players(), EMA(gan), Feed(dataset, BATCH, 0, torch.device("cpu")), Clock(0, 0, 10**9),
        Folder(Path("unused")), None, None,  # type: ignore[arg-type]  nothing is shown or written by a step
    )  # fmt: skip
    meter = Meter()
    while True:
        meter.add(training.step())
        if training.clock.step % 500 == 0:
            meter.read()
        yield


def speed(steps: Iterator[None], seconds: float) -> float:
    """Images a second over a window."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(steps)
        count += 1
    return count * BATCH / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--windows", type=int, default=5)
    given = parser.parse_args()
    torch.manual_seed(0)
    programs: dict[str, Callable[[Path], Iterator[None]]] = {"plain": plain, "gancli": ours}
    running = {name: program(given.data) for name, program in programs.items()}
    for steps in running.values():
        speed(steps, 2)
    measured: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(given.windows):
        for name, steps in running.items():
            measured[name].append(round(speed(steps, given.seconds), 1))
    medians = {name: statistics.median(values) for name, values in measured.items()}
    result = {"images_per_second": measured, "median": medians, "ratio": medians["gancli"] / medians["plain"]}
    print(json.dumps(result | {"threads": torch.get_num_threads(), "torch": torch.__version__}, indent=1))


if __name__ == "__main__":
    main()
