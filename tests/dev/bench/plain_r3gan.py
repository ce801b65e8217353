"""R3GAN at 64 pixels as public implementations write it, for `gancli bench r3gan --against`.

Grouped convolutions as torch has them, `upfirdn2d` by inserted zeros and a depthwise convolution, D called once on real
images and once on fakes, R1 and R2 by two double backward passes at every step. The networks are those of
`gancli train r3gan --preset paper --width 96`: an eighth of the paper's.
"""

import copy
import math
from collections.abc import Iterable, Iterator

import torch
from plain_dcgan import Folder
from plain_stylegan2 import requires_grad, upfirdn2d
from torch import Tensor, autograd, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from gancli.benchmark.rival import Task

LATENT, SIZE, GROUP, EXPANSION, BLOCKS = 64, 64, 16, 2, 2
CHANNELS = [96, 96, 96, 96, 48]  # from 4 to 64 pixels
RATE, GAMMA, SLOPE = 2e-4, 2.0, 0.2


def make_kernel(gain: float = 1.0) -> Tensor:
    """The filter [1, 2, 1]."""
    k = torch.tensor([1.0, 2.0, 1.0])
    k = k[None, :] * k[:, None]
    return k / k.sum() * gain


def msr(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Initialise by the number of inputs."""
    layer.weight.data.normal_(0, gain / math.sqrt(layer.weight[0].numel()))
    return layer


class BiasedActivation(nn.Module):
    """A bias and LeakyReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Add and activate."""
        return F.leaky_relu(x + self.bias.view(1, -1, 1, 1), SLOPE)


class ResidualBlock(nn.Module):
    """Expand, convolve in groups, contract."""

    def __init__(self, channels: int, total: int) -> None:
        super().__init__()
        hidden, gain = channels * EXPANSION, math.sqrt(2 / (1 + SLOPE**2)) * total**-0.25
        self.linear_1 = msr(nn.Conv2d(channels, hidden, 1, bias=False), gain)
        self.linear_2 = msr(nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden // GROUP, bias=False), gain)
        self.linear_3 = msr(nn.Conv2d(hidden, channels, 1, bias=False), 0)
        self.act_1, self.act_2 = BiasedActivation(hidden), BiasedActivation(hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Residual."""
        return x + self.linear_3(self.act_2(self.linear_2(self.act_1(self.linear_1(x)))))


class Resample(nn.Module):
    """Twice or half the sides, and another number of channels at the coarser side."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.project = msr(nn.Conv2d(inputs, outputs, 1, bias=False)) if inputs != outputs else nn.Identity()
        self.register_buffer("kernel", make_kernel(4 if up else 1))

    def forward(self, x: Tensor) -> Tensor:
        """Resample."""
        if self.up:
            return upfirdn2d(self.project(x), self.kernel, up=2, pad=(1, 1))[:, :, : 2 * x.shape[2], : 2 * x.shape[3]]
        return self.project(upfirdn2d(x, self.kernel, down=2, pad=(1, 1)))


class Generator(nn.Module):
    """Latents to images."""

    def __init__(self) -> None:
        super().__init__()
        total = BLOCKS * len(CHANNELS)
        self.basis = nn.Parameter(torch.randn(CHANNELS[0], 4, 4))
        self.linear = msr(nn.Linear(LATENT, CHANNELS[0], bias=False))
        layers: list[nn.Module] = []
        for before, channels in zip([0, *CHANNELS], CHANNELS):
            layers += [Resample(before, channels, up=True)] if before else []
            layers += [ResidualBlock(channels, total) for _ in range(BLOCKS)]
        self.main = nn.Sequential(*layers, msr(nn.Conv2d(CHANNELS[-1], 3, 1, bias=False)))

    def forward(self, z: Tensor) -> Tensor:
        """Generate."""
        return self.main(self.basis.view(1, -1, 4, 4) * self.linear(z).view(len(z), -1, 1, 1))


class Discriminator(nn.Module):
    """Images to logits."""

    def __init__(self) -> None:
        super().__init__()
        total, order = BLOCKS * len(CHANNELS), CHANNELS[::-1]
        layers: list[nn.Module] = [msr(nn.Conv2d(3, order[0], 1, bias=False))]
        for channels, after in zip(order, [*order[1:], 0]):
            layers += [ResidualBlock(channels, total) for _ in range(BLOCKS)]
            layers += [Resample(channels, after, up=False)] if after else []
        self.main = nn.Sequential(*layers)
        self.basis = msr(nn.Conv2d(order[-1], order[-1], 4, groups=order[-1], bias=False))
        self.linear = msr(nn.Linear(order[-1], 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Judge."""
        return self.linear(self.basis(self.main(x)).view(len(x), -1)).view(-1)


def networks() -> tuple[nn.Module, nn.Module]:
    """G and D."""
    return Generator(), Discriminator()


def penalty(samples: Tensor, logits: Tensor) -> Tensor:
    """Zero-centred gradient penalty."""
    (gradient,) = autograd.grad(outputs=logits.sum(), inputs=samples, create_graph=True)
    return gradient.square().sum([1, 2, 3])


def steps(task: Task) -> Iterator[None]:
    """One step at a time, decoding PNGs."""
    loader = DataLoader(Folder(task.data, task.height), batch_size=task.batch, shuffle=True, drop_last=True)
    return train(loader, torch.device(task.device))


def train(loader: Iterable[Tensor], device: torch.device) -> Iterator[None]:
    """The usual loop."""
    generator, discriminator = Generator().to(device), Discriminator().to(device)
    g_ema = copy.deepcopy(generator)
    g_optim = torch.optim.Adam(generator.parameters(), lr=RATE, betas=(0.0, 0.9))
    d_optim = torch.optim.Adam(discriminator.parameters(), lr=RATE, betas=(0.0, 0.9))
    while True:
        for images in loader:
            real = images.to(device).requires_grad_(True)
            requires_grad(generator, False)
            requires_grad(discriminator, True)
            fake = generator(torch.randn(len(real), LATENT, device=device)).detach().requires_grad_(True)
            real_logits, fake_logits = discriminator(real), discriminator(fake)
            r1, r2 = penalty(real, real_logits), penalty(fake, fake_logits)
            d_loss = (F.softplus(-(real_logits - fake_logits)) + GAMMA / 2 * (r1 + r2)).mean()
            d_optim.zero_grad()
            d_loss.backward()
            d_optim.step()
            requires_grad(generator, True)
            requires_grad(discriminator, False)
            fake = generator(torch.randn(len(real), LATENT, device=device))
            g_loss = F.softplus(-(discriminator(fake) - discriminator(real.detach()))).mean()
            g_optim.zero_grad()
            g_loss.backward()
            g_optim.step()
            with torch.no_grad():
                for mean, p in zip(g_ema.parameters(), generator.parameters()):
                    mean.lerp_(p, 0.001)
            _ = d_loss.item() + g_loss.item()
            yield
