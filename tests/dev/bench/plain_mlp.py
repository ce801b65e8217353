"""The MLP GAN as public tutorials write it, for `gancli bench gan --against`: Fashion-MNIST's idx files."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from gancli.benchmark.rival import Task


class IdxImages(MNIST):
    """A data set like torchvision's MNIST: one PIL image at a time, through transforms."""

    def __init__(self, folder: Path) -> None:
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
        self.target_transform = None
        with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
            self.data = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8).view(-1, 28, 28)
        self.targets = torch.zeros(len(self.data), dtype=torch.int64)


def networks() -> tuple[nn.Module, nn.Module]:
    """G and D."""
    generator = nn.Sequential(
        nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(),
        nn.Linear(1024, 784), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Linear(784, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 512), nn.LeakyReLU(0.2),
        nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1), nn.Sigmoid(),
    )  # fmt: skip
    return generator, discriminator


def steps(task: Task) -> Iterator[None]:
    """Train one step at a time."""
    batch = task.batch
    generator, discriminator = networks()
    criterion = nn.BCELoss()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4)
    loader = DataLoader(IdxImages(Path(task.data)), batch_size=batch, shuffle=True, drop_last=True)
    while True:
        for images, _ in loader:
            real = images.view(batch, -1)
            ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)
            d_loss = criterion(discriminator(real), ones)
            fake = generator(torch.randn(batch, 100))
            d_loss = d_loss + criterion(discriminator(fake), zeros)
            d_optimizer.zero_grad()
            g_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            g_loss = criterion(discriminator(generator(torch.randn(batch, 100))), ones)
            d_optimizer.zero_grad()
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            _ = d_loss.item(), g_loss.item()
            yield
