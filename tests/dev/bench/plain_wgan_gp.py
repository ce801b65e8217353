"""WGAN-GP at 32 pixels as public implementations write it, for `gancli bench wgan-gp --against`.

The networks are those of `gancli train wgan-gp --width 64`: DCGAN's, with a layer norm in the critic.
"""

from collections.abc import Iterable, Iterator

import torch
from plain_dcgan import Folder, weights_init
from torch import Tensor, autograd, nn
from torch.utils.data import DataLoader

from gancli.benchmark.rival import Task

LATENT, WIDTH, N_CRITIC, LAMBDA = 100, 64, 5, 10


class Generator(nn.Sequential):
    """Transposed convolutions."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.ConvTranspose2d(LATENT, WIDTH * 4, 4, 1, 0, bias=False)]
        for before in (4, 2):
            layers += [nn.BatchNorm2d(WIDTH * before), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(WIDTH * before, WIDTH * before // 2, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(WIDTH), nn.ReLU(True), nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh()]
        super().__init__(*layers)


class Critic(nn.Sequential):
    """Strided convolutions with layer norms."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for before in (1, 2):
            layers += [nn.Conv2d(WIDTH * before, WIDTH * before * 2, 4, 2, 1, bias=False)]
            layers += [nn.GroupNorm(1, WIDTH * before * 2), nn.LeakyReLU(0.2, inplace=True)]
        super().__init__(*layers, nn.Conv2d(WIDTH * 4, 1, 4, 1, 0))


def networks() -> tuple[nn.Module, nn.Module]:
    """G and D."""
    return Generator().apply(weights_init), Critic().apply(weights_init)


def gradient_penalty(D: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Return the gradient penalty between real and generated images."""
    alpha = torch.rand(len(real), 1, 1, 1, device=real.device)
    interpolates = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    judged = D(interpolates)
    gradients = autograd.grad(
        outputs=judged,
        inputs=interpolates,
        grad_outputs=torch.ones_like(judged),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.view(len(real), -1).norm(2, dim=1) - 1) ** 2).mean()


def steps(task: Task) -> Iterator[None]:
    """Train one step at a time; decode PNGs."""
    loader = DataLoader(Folder(task.data, task.height), batch_size=task.batch, shuffle=True, drop_last=True)
    return train(loader, task.device)


def train(loader: Iterable[Tensor], device: str) -> Iterator[None]:
    """Run the usual loop: the critic in every iteration, the generator in every fifth."""
    generator, critic = (net.to(device) for net in networks())
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=(0.0, 0.9))
    optimizer_D = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.0, 0.9))
    count = 0
    while True:
        for images in loader:
            real = images.to(device)
            optimizer_D.zero_grad()
            z = torch.randn(len(real), LATENT, 1, 1, device=device)
            fake = generator(z)
            penalty = gradient_penalty(critic, real.data, fake.data)
            d_loss = -torch.mean(critic(real)) + torch.mean(critic(fake.detach())) + LAMBDA * penalty
            d_loss.backward()
            optimizer_D.step()
            optimizer_G.zero_grad()
            if count % N_CRITIC == 0:
                g_loss = -torch.mean(critic(generator(z)))
                g_loss.backward()
                optimizer_G.step()
                _ = g_loss.item()
            _ = d_loss.item()
            count += 1
            yield
