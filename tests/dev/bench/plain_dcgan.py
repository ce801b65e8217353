"""DCGAN at 64 pixels as public tutorials write it, for `gancli bench dcgan --against`.

`steps` reads PNGs with a DataLoader; `in_memory` decodes all of them before the first step.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets.folder import default_loader
from torchvision.datasets.vision import VisionDataset

from gancli.benchmark.rival import Task

LATENT, WIDTH = 100, 64


class Folder(VisionDataset):
    """The PNGs of one folder."""

    def __init__(self, root: str, side: int) -> None:
        from pathlib import Path

        normalise = transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        super().__init__(
            root,
            transform=transforms.Compose(
                [transforms.Resize(side), transforms.CenterCrop(side), transforms.ToTensor(), normalise]
            ),
        )
        self.paths = sorted(Path(root).glob("*.png"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        assert self.transform is not None
        return self.transform(default_loader(str(self.paths[index])))


class Generator(nn.Sequential):
    """Transposed convolutions."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.ConvTranspose2d(LATENT, WIDTH * 8, 4, 1, 0, bias=False)]
        for before in (8, 4, 2):
            layers += [nn.BatchNorm2d(WIDTH * before), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(WIDTH * before, WIDTH * before // 2, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(WIDTH), nn.ReLU(True), nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh()]
        super().__init__(*layers)


class Discriminator(nn.Sequential):
    """Strided convolutions."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for before in (1, 2, 4):
            layers += [nn.Conv2d(WIDTH * before, WIDTH * before * 2, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(WIDTH * before * 2), nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers, nn.Conv2d(WIDTH * 8, 1, 4, 1, 0), nn.Sigmoid())


def weights_init(module: nn.Module) -> None:
    """Initialise weights as in the paper."""
    name = type(module).__name__
    if "Conv" in name:
        nn.init.normal_(module.weight, 0.0, 0.02)  # type: ignore[arg-type]
    elif "BatchNorm" in name:
        nn.init.normal_(module.weight, 1.0, 0.02)  # type: ignore[arg-type]
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def networks() -> tuple[nn.Module, nn.Module]:
    """G and D."""
    return Generator().apply(weights_init), Discriminator().apply(weights_init)


def steps(task: Task) -> Iterator[None]:
    """Train one step at a time; decode PNGs."""
    loader = DataLoader(Folder(task.data, task.height), batch_size=task.batch, shuffle=True, drop_last=True)
    return train(loader, task.device)


def in_memory(task: Task) -> Iterator[None]:
    """Train one step at a time; all images are on the device, as float32."""
    images = torch.stack([image for (image,) in DataLoader(Folder(task.data, task.height))]).to(task.device)

    class Shuffled:
        def __iter__(self) -> Iterator[Tensor]:
            for index in torch.randperm(len(images)).split(task.batch):
                if len(index) == task.batch:
                    yield images[index]

    return train(Shuffled(), task.device)


def train(loader: Iterable[Tensor], device: str) -> Iterator[None]:
    """The tutorial's loop."""
    netG, netD = (net.to(device) for net in networks())
    criterion = nn.BCELoss()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
    while True:
        for data in loader:
            netD.zero_grad()
            real = data.to(device)
            label = torch.full((len(real),), 1.0, device=device)
            output = netD(real).view(-1)
            errD_real = criterion(output, label)
            errD_real.backward()
            D_x = output.mean().item()
            fake = netG(torch.randn(len(real), LATENT, 1, 1, device=device))
            label.fill_(0.0)
            output = netD(fake.detach()).view(-1)
            errD_fake = criterion(output, label)
            errD_fake.backward()
            D_G_z1 = output.mean().item()
            optimizerD.step()
            netG.zero_grad()
            label.fill_(1.0)
            output = netD(fake).view(-1)
            errG = criterion(output, label)
            errG.backward()
            D_G_z2 = output.mean().item()
            optimizerG.step()
            _ = errD_real.item() + errD_fake.item(), errG.item(), D_x, D_G_z1, D_G_z2
            yield
