"""StyleGAN2 at 64 pixels as public implementations write it, for `gancli bench stylegan2 --against`.

Modulated convolutions are grouped convolutions with weights for each image, `upfirdn2d` inserts zeros and convolves
depthwise, as the reference code beside the CUDA sources does; R1 every 16 steps, path lengths every 4. The networks are
those of `gancli train stylegan2 --width 64 --channel-base 2048 --z-dim 64 --w-dim 64`: an eighth of the paper's.
"""

import math
import random
from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from plain_dcgan import Folder
from torch import Tensor, autograd, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from gancli.benchmark.rival import Task

LATENT, LAYERS, SIZE = 64, 8, 64
CHANNELS = {4: 64, 8: 64, 16: 64, 32: 64, 64: 32}
RATE, R1, PATH, MIXING = 0.0025, 0.0256, 2.0, 0.9


def upfirdn2d(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Insert zeros, pad, convolve, keep every down-th pixel."""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h, 1, w, 1)
    x = F.pad(x, [0, up - 1, 0, 0, 0, up - 1])
    x = x.reshape(n, c, h * up, w * up)
    x = F.pad(x, [pad[0], pad[1], pad[0], pad[1]])
    weight = torch.flip(kernel, [0, 1])[None, None].repeat(c, 1, 1, 1)
    return F.conv2d(x, weight, groups=c)[:, :, ::down, ::down]


def make_kernel(gain: float = 1.0) -> Tensor:
    """The filter [1, 3, 3, 1]."""
    k = torch.tensor([1.0, 3.0, 3.0, 1.0])
    k = k[None, :] * k[:, None]
    return k / k.sum() * gain


class EqualLinear(nn.Module):
    """With equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0, lr_mul: float = 1, activation: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs).div_(lr_mul))
        self.bias = nn.Parameter(torch.zeros(outputs).fill_(bias))
        self.scale, self.lr_mul, self.activation = lr_mul / math.sqrt(inputs), lr_mul, activation

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        x = F.linear(x, self.weight * self.scale, bias=self.bias * self.lr_mul)
        return F.leaky_relu(x, 0.2) * math.sqrt(2) if self.activation else x


class ModulatedConv2d(nn.Module):
    """With weights for each image."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, demodulate: bool = True, up: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, size, size))
        self.modulation = EqualLinear(LATENT, inputs, bias=1)
        self.scale, self.demodulate, self.up = 1 / math.sqrt(inputs * size**2), demodulate, up
        self.register_buffer("kernel", make_kernel(4))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Modulate, demodulate, convolve."""
        batch, inputs, height, width = x.shape
        outputs, size = self.weight.shape[1], self.weight.shape[-1]
        style = self.modulation(style).view(batch, 1, inputs, 1, 1)
        weight = self.scale * self.weight * style
        if self.demodulate:
            demod = torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8)
            weight = weight * demod.view(batch, outputs, 1, 1, 1)
        x = x.reshape(1, batch * inputs, height, width)
        if self.up:
            weight = weight.transpose(1, 2).reshape(batch * inputs, outputs, size, size)
            out = F.conv_transpose2d(x, weight, padding=0, stride=2, groups=batch)
            out = out.view(batch, outputs, *out.shape[2:])
            return upfirdn2d(out, self.kernel, pad=(1, 1))
        weight = weight.view(batch * outputs, inputs, size, size)
        out = F.conv2d(x, weight, padding=size // 2, groups=batch)
        return out.view(batch, outputs, *out.shape[2:])


class StyledConv(nn.Module):
    """Convolution, noise, bias, activation."""

    def __init__(self, inputs: int, outputs: int, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, up=up)
        self.noise = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """With new noise."""
        out = self.conv(x, style)
        batch, _, height, width = out.shape
        out = out + self.noise * out.new_empty(batch, 1, height, width).normal_()
        return F.leaky_relu(out + self.bias, 0.2) * math.sqrt(2)


class ToRGB(nn.Module):
    """Adds to the image."""

    kernel: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.register_buffer("kernel", make_kernel(4))

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None) -> Tensor:
        """Up-sample the image of the resolution before."""
        out = self.conv(x, style) + self.bias
        return out if skip is None else out + upfirdn2d(skip, self.kernel, up=2, pad=(2, 1))


class Generator(nn.Module):
    """Mapping and synthesis."""

    def __init__(self) -> None:
        super().__init__()
        mapping = [EqualLinear(LATENT, LATENT, lr_mul=0.01, activation=True) for _ in range(LAYERS)]
        self.style = nn.Sequential(*mapping)
        self.input = nn.Parameter(torch.randn(1, CHANNELS[4], 4, 4))
        convs, rgbs, before = [StyledConv(CHANNELS[4], CHANNELS[4])], [ToRGB(CHANNELS[4])], CHANNELS[4]
        for size in list(CHANNELS)[1:]:
            convs += [StyledConv(before, CHANNELS[size], up=True), StyledConv(CHANNELS[size], CHANNELS[size])]
            rgbs += [ToRGB(CHANNELS[size])]
            before = CHANNELS[size]
        self.convs, self.rgbs = nn.ModuleList(convs), nn.ModuleList(rgbs)
        self.n_latent = 2 * len(CHANNELS)

    def forward(self, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Images, and the styles that gave them."""
        styles = [self.style(z * torch.rsqrt(z.pow(2).mean(1, keepdim=True) + 1e-8)) for z in noise]
        first = random.randint(1, self.n_latent - 1) if len(styles) > 1 else self.n_latent
        parts = [styles[0].unsqueeze(1).repeat(1, first, 1)]
        if len(styles) > 1:
            parts.append(styles[1].unsqueeze(1).repeat(1, self.n_latent - first, 1))
        latent = torch.cat(parts, 1)
        out = self.convs[0](self.input.repeat(len(latent), 1, 1, 1), latent[:, 0])
        skip = self.rgbs[0](out, latent[:, 1], None)
        for i, rgb in enumerate(list(self.rgbs)[1:]):
            out = self.convs[2 * i + 1](out, latent[:, 2 * i + 1])
            out = self.convs[2 * i + 2](out, latent[:, 2 * i + 2])
            skip = rgb(out, latent[:, 2 * i + 3], skip)
        return skip, latent


class ConvLayer(nn.Module):
    """Of the discriminator."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, down: bool = False, activate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1)) if activate else None
        self.scale, self.size, self.down = 1 / math.sqrt(inputs * size**2), size, down
        self.register_buffer("kernel", make_kernel())

    def forward(self, x: Tensor) -> Tensor:
        """Blur, convolve, activate."""
        if self.down:
            p = 4 - 2 + self.size - 1
            x = upfirdn2d(x, self.kernel, pad=((p + 1) // 2, p // 2))
        padding = 0 if self.down else self.size // 2
        out = F.conv2d(x, self.weight * self.scale, stride=2 if self.down else 1, padding=padding)
        return out if self.bias is None else F.leaky_relu(out + self.bias, 0.2) * math.sqrt(2)


class ResBlock(nn.Module):
    """Residual."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = ConvLayer(inputs, inputs, 3), ConvLayer(inputs, outputs, 3, down=True)
        self.skip = ConvLayer(inputs, outputs, 1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """Two branches."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)


class Discriminator(nn.Module):
    """Residual, with the deviation of groups of four."""

    def __init__(self) -> None:
        super().__init__()
        sizes = list(CHANNELS)[::-1]
        blocks = [ResBlock(CHANNELS[a], CHANNELS[b]) for a, b in pairwise(sizes)]
        self.convs = nn.Sequential(ConvLayer(3, CHANNELS[SIZE], 1), *blocks)
        self.final_conv = ConvLayer(CHANNELS[4] + 1, CHANNELS[4], 3)
        self.final_linear = nn.Sequential(
            EqualLinear(CHANNELS[4] * 16, CHANNELS[4], activation=True), EqualLinear(CHANNELS[4], 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        out = self.convs(x)
        batch, channel, height, width = out.shape
        group = min(batch, 4)
        stddev = out.view(group, -1, 1, channel, height, width)
        stddev = torch.sqrt(stddev.var(0, unbiased=False) + 1e-8)
        stddev = stddev.mean([2, 3, 4], keepdim=True).squeeze(2).repeat(group, 1, height, width)
        out = self.final_conv(torch.cat([out, stddev], 1))
        return self.final_linear(out.view(batch, -1))


def networks() -> tuple[nn.Module, nn.Module]:
    """G and D."""
    return Generator(), Discriminator()


def requires_grad(model: nn.Module, flag: bool) -> None:
    """Switch a network's gradients."""
    for p in model.parameters():
        p.requires_grad = flag


def mixing_noise(batch: int, device: torch.device) -> list[Tensor]:
    """One or two latents."""
    count = 2 if random.random() < MIXING else 1
    return [torch.randn(batch, LATENT, device=device) for _ in range(count)]


def steps(task: Task) -> Iterator[None]:
    """One step at a time, decoding PNGs."""
    loader = DataLoader(Folder(task.data, task.height), batch_size=task.batch, shuffle=True, drop_last=True)
    return train(loader, torch.device(task.device))


def train(loader: Iterable[Tensor], device: torch.device) -> Iterator[None]:
    """The usual loop."""
    generator, discriminator, g_ema = Generator().to(device), Discriminator().to(device), Generator().to(device)
    g_ema.load_state_dict(generator.state_dict())
    g_ratio, d_ratio = 4 / 5, 16 / 17
    g_optim = torch.optim.Adam(generator.parameters(), lr=RATE * g_ratio, betas=(0**g_ratio, 0.99**g_ratio))
    d_optim = torch.optim.Adam(discriminator.parameters(), lr=RATE * d_ratio, betas=(0**d_ratio, 0.99**d_ratio))
    mean_path_length, i = torch.zeros((), device=device), 0
    while True:
        for images in loader:
            real_img = images.to(device)
            batch = len(real_img)
            requires_grad(generator, False)
            requires_grad(discriminator, True)
            fake_img, _ = generator(mixing_noise(batch, device))
            fake_pred, real_pred = discriminator(fake_img), discriminator(real_img)
            d_loss = F.softplus(-real_pred).mean() + F.softplus(fake_pred).mean()
            discriminator.zero_grad()
            d_loss.backward()
            d_optim.step()
            if i % 16 == 0:
                real_img.requires_grad = True
                real_pred = discriminator(real_img)
                (grad_real,) = autograd.grad(outputs=real_pred.sum(), inputs=real_img, create_graph=True)
                r1_loss = grad_real.pow(2).reshape(batch, -1).sum(1).mean()
                discriminator.zero_grad()
                (R1 / 2 * r1_loss * 16 + 0 * real_pred[0]).backward()
                d_optim.step()
            requires_grad(generator, True)
            requires_grad(discriminator, False)
            fake_img, _ = generator(mixing_noise(batch, device))
            g_loss = F.softplus(-discriminator(fake_img)).mean()
            generator.zero_grad()
            g_loss.backward()
            g_optim.step()
            if i % 4 == 0:
                fake_img, latents = generator(mixing_noise(max(1, batch // 2), device))
                noise = torch.randn_like(fake_img) / math.sqrt(fake_img.shape[2] * fake_img.shape[3])
                (grad,) = autograd.grad(outputs=(fake_img * noise).sum(), inputs=latents, create_graph=True)
                path_lengths = torch.sqrt(grad.pow(2).sum(2).mean(1))
                path_mean = mean_path_length + 0.01 * (path_lengths.mean() - mean_path_length)
                path_loss = (path_lengths - path_mean).pow(2).mean()
                generator.zero_grad()
                (PATH * 4 * path_loss + 0 * fake_img[0, 0, 0, 0]).backward()
                g_optim.step()
                mean_path_length = path_mean.detach()
            with torch.no_grad():
                par1, par2 = dict(g_ema.named_parameters()), dict(generator.named_parameters())
                for k in par1:
                    par1[k].data.mul_(0.999).add_(par2[k].data, alpha=1 - 0.999)
            _ = d_loss.item() + g_loss.item()
            i += 1
            yield
