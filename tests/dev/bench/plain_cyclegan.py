"""CycleGAN as public implementations write it, for `gancli bench cyclegan --against`.

The networks are those of `gancli train cyclegan`: no bias before an instance norm. The environment variables
CYCLEGAN_WIDTH and CYCLEGAN_BLOCKS set width and blocks; the defaults are the paper's for 128 pixels.
"""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from gancli.benchmark.rival import Task

WIDTH, BLOCKS = int(os.environ.get("CYCLEGAN_WIDTH", "64")), int(os.environ.get("CYCLEGAN_BLOCKS", "6"))


class ResidualBlock(nn.Module):
    """Two convolutions and a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), nn.InstanceNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class Generator(nn.Sequential):
    """c7s1-w, d2w, d4w, blocks, u2w, uw, c7s1."""

    def __init__(self) -> None:
        w = WIDTH
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, w, 7, bias=False), nn.InstanceNorm2d(w)]
        layers += [nn.ReLU(inplace=True)]
        for _ in range(2):
            layers += [nn.Conv2d(w, 2 * w, 3, stride=2, padding=1, bias=False), nn.InstanceNorm2d(2 * w)]
            layers += [nn.ReLU(inplace=True)]
            w *= 2
        layers += [ResidualBlock(w) for _ in range(BLOCKS)]
        for _ in range(2):
            layers += [nn.ConvTranspose2d(w, w // 2, 3, 2, 1, output_padding=1, bias=False)]
            layers += [nn.InstanceNorm2d(w // 2), nn.ReLU(inplace=True)]
            w //= 2
        super().__init__(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh())


class Discriminator(nn.Sequential):
    """A discriminator of 70-pixel patches."""

    def __init__(self) -> None:
        w = WIDTH
        layers: list[nn.Module] = [nn.Conv2d(3, w, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for stride in (2, 2, 1):
            layers += [nn.Conv2d(w, 2 * w, 4, stride, 1, bias=False), nn.InstanceNorm2d(2 * w)]
            layers += [nn.LeakyReLU(0.2, inplace=True)]
            w *= 2
        super().__init__(*layers, nn.Conv2d(w, 1, 4, 1, 1))


class ReplayBuffer:
    """A pool of up to 50 generated images."""

    def __init__(self) -> None:
        self.data: list[Tensor] = []

    def push_and_pop(self, data: Tensor) -> Tensor:
        found = []
        for element in data.data:
            image = element[None]
            if len(self.data) < 50:
                self.data.append(image)
                found.append(image)
            elif random.random() > 0.5:
                i = random.randrange(50)
                found.append(self.data[i].clone())
                self.data[i] = image
            else:
                found.append(image)
        return torch.cat(found)


class TwoFolders(Dataset):
    """Pairs of an image of A and a random image of B."""

    def __init__(self, root: str, side: int) -> None:
        normalise = transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        self.transform = transforms.Compose([transforms.Resize(side), transforms.ToTensor(), normalise])
        self.a, self.b = (sorted((Path(root) / name).glob("*.png")) for name in ("A", "B"))

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        a, b = Image.open(self.a[index]), Image.open(random.choice(self.b))
        return self.transform(a.convert("RGB")), self.transform(b.convert("RGB"))  # type: ignore[return-value]


def init_weights(module: nn.Module) -> None:
    """N(0, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)


def networks() -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    """Both generators and both discriminators."""
    made = Generator(), Generator(), Discriminator(), Discriminator()
    for net in made:
        net.apply(init_weights)
    return made


def steps(task: Task) -> Iterator[None]:
    """Train one step at a time; decode PNGs."""
    G_AB, G_BA, D_A, D_B = (net.to(task.device) for net in networks())
    criterion_GAN, criterion_cycle, criterion_identity = nn.MSELoss(), nn.L1Loss(), nn.L1Loss()
    optimizer_G = torch.optim.Adam(itertools.chain(G_AB.parameters(), G_BA.parameters()), lr=2e-4, betas=(0.5, 0.999))
    optimizer_D_A = torch.optim.Adam(D_A.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_D_B = torch.optim.Adam(D_B.parameters(), lr=2e-4, betas=(0.5, 0.999))
    fake_A_buffer, fake_B_buffer = ReplayBuffer(), ReplayBuffer()
    loader = DataLoader(TwoFolders(task.data, task.height), batch_size=task.batch, shuffle=True, drop_last=True)
    side = task.height // 8 - 2
    valid = torch.ones(task.batch, 1, side, side, device=task.device)
    fake = torch.zeros_like(valid)
    while True:
        for a, b in loader:
            real_A, real_B = a.to(task.device), b.to(task.device)

            optimizer_G.zero_grad()
            loss_identity = (criterion_identity(G_BA(real_A), real_A) + criterion_identity(G_AB(real_B), real_B)) / 2
            fake_B, fake_A = G_AB(real_A), G_BA(real_B)
            loss_GAN = (criterion_GAN(D_B(fake_B), valid) + criterion_GAN(D_A(fake_A), valid)) / 2
            loss_cycle = (criterion_cycle(G_BA(fake_B), real_A) + criterion_cycle(G_AB(fake_A), real_B)) / 2
            loss_G = loss_GAN + 10.0 * loss_cycle + 5.0 * loss_identity
            loss_G.backward()
            optimizer_G.step()

            optimizer_D_A.zero_grad()
            old = fake_A_buffer.push_and_pop(fake_A)
            loss_D_A = (criterion_GAN(D_A(real_A), valid) + criterion_GAN(D_A(old.detach()), fake)) / 2
            loss_D_A.backward()
            optimizer_D_A.step()

            optimizer_D_B.zero_grad()
            old = fake_B_buffer.push_and_pop(fake_B)
            loss_D_B = (criterion_GAN(D_B(real_B), valid) + criterion_GAN(D_B(old.detach()), fake)) / 2
            loss_D_B.backward()
            optimizer_D_B.step()
            _ = loss_G.item(), loss_D_A.item(), loss_D_B.item()
            yield
