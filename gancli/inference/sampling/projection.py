"""Projection: find the latent whose image is nearest to a given one, by optimisation.

As in Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", arXiv:1912.04958, appendix D, but
from several starts, in z, w or w+, and with a distance that needs no network's weights.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gancli.capabilities import Appends, Classes, Samples
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference.sampling.latents import Space
from gancli.inference.sampling.styles import generated, is_styled, styled, styles_of
from gancli.system.seeds import aside

STEPS = 300
CANDIDATES, BATCH, STARTS = 256, 32, 4  # samples of the prior, of which the nearest are improved
RATE, RISE, FALL = 0.1, 0.05, 0.25  # of Adam, in deviations of the latents; shares of the steps to rise and to fall in
NOISE, QUIET = 0.05, 0.75  # on the latent, in the same units; share of the steps after which there is none
COARSEST = 4  # pixels: images are compared at every resolution down to it


@dataclass(frozen=True)
class Projecting:
    """How to project."""

    space: Space | None = None  # None: w for models with styles, else z
    steps: int = STEPS
    seed: int = 0
    label: int | None = None  # of the latents; None: that of the nearest samples


class Projected(NamedTuple):
    """A latent (1, Z), (1, 1, W) or (1, L, W), its space, and how far its image is away."""

    latent: Tensor
    space: Space
    error: float  # root mean square over pixels, which go from 0 to 1


@dataclass(frozen=True)
class _Frame:
    """The units in which a latent is optimised: deviations from a centre, in its leading axes only."""

    centre: Tensor
    deviation: float
    fixed: Tensor  # (S, Z - noise): the labels and codes of every start
    layers: int = 0  # of styles; 0: z

    def latent(self, u: Tensor) -> Tensor:
        moved = self.centre + self.deviation * u
        return moved.expand(-1, self.layers, -1) if self.layers else torch.cat([moved, self.fixed], 1)


def project(gan: GAN[Any], image: Tensor, how: Projecting, device: torch.device) -> Projected:
    """Find the latent of an image (1, C, H, W) in [-1, 1]; the same one each time for a seed.

    The model is on the CPU before and after, so that a seed starts from the same samples on every device.
    """
    space: Space = how.space or ("w" if is_styled(gan) else "z")
    if space != "z":
        styled(gan, f"--space {space}")
    with aside("projection", how.seed), _repeatable(device):
        z = _candidates(gan, how.label)
        try:
            return _project(gan.to(device), z.to(device), image.to(device), space, how.steps)
        finally:
            gan.to("cpu")


def _candidates(gan: GAN[Any], label: int | None) -> Tensor:
    z = cast(Samples, gan).prior(CANDIDATES)
    return z if label is None else cast(Classes, gan).of_class(z, torch.full((len(z),), label))


def _project(gan: GAN[Any], z: Tensor, image: Tensor, space: Space, steps: int) -> Projected:
    starts = z[_distances(gan, z, image).topk(STARTS, largest=False).indices]
    frame, u = _framed(gan, z, starts, space)
    u = _descend(gan, frame, u, image, steps)
    latent = frame.latent(u)
    best = torch.cat([latent, starts]) if space == "z" else torch.cat([latent, _styles(gan, starts)])
    nearest = int(_distances(gan, best, image).argmin())  # a start may be as good as it gets
    found = best[nearest][None]
    with torch.no_grad():
        error = _error(generated(gan, found), image)
    return Projected((found[:, :1] if space == "w" else found).cpu(), space, error)


def _styles(gan: GAN[Any], z: Tensor) -> Tensor:
    return styles_of(gan, z).clone()  # not made in inference mode, so that gradients can pass


def _framed(gan: GAN[Any], z: Tensor, starts: Tensor, space: Space) -> tuple[_Frame, Tensor]:
    """Return the units of a space, and the starts in them."""
    if space == "z":
        axes = gan.noise_axes if isinstance(gan, Appends) else z.shape[1]
        free, fixed = starts.tensor_split([axes], 1)
        return _Frame(torch.zeros_like(free[:1]), float(z[:, :axes].std()), fixed), free / float(z[:, :axes].std())
    w = _styles(gan, z)
    centre = w.mean(0, keepdim=True)
    deviation = float((w - centre).square().mean().sqrt().clamp_min(1e-8))
    centre, first = (v[:, :1] if space == "w" else v for v in (centre, _styles(gan, starts)))
    return _Frame(centre, deviation, starts[:, :0], w.shape[1]), (first - centre) / deviation


def _descend(gan: GAN[Any], frame: _Frame, u: Tensor, image: Tensor, steps: int) -> Tensor:
    """Improve the starts, all at once, with Adam: its rate rises and falls, and noise on the latent fades."""
    u = u.clone().requires_grad_()
    adam = torch.optim.Adam([u], betas=(0.9, 0.999))
    for step in range(steps):
        done = step / steps
        adam.param_groups[0]["lr"] = RATE * rate_at(done)
        noise = NOISE * max(0.0, 1 - done / QUIET) ** 2
        drawn = torch.randn(u.shape).to(u.device)  # on the CPU: the same on every device
        with torch.enable_grad():
            loss = distance(generated(gan, frame.latent(u + noise * drawn)), image).sum()
            if not loss.requires_grad:
                raise UserError(f"{type(gan).__name__} cannot be differentiated, so images cannot be projected into it")
            (u.grad,) = torch.autograd.grad(loss, u)
        adam.step()
    return u.detach()


def rate_at(done: float) -> float:
    """Return the factor on the learning rate after a share of the steps: a linear rise, and a fall along a cosine."""
    fall = min(1.0, (1 - done) / FALL)
    return (0.5 - 0.5 * math.cos(math.pi * fall)) * min(1.0, (done + 1e-3) / RISE)


def distance(images: Tensor, image: Tensor) -> Tensor:
    """Return how far images (N, C, H, W) are from one (1, C, H, W): (N,).

    It is the mean square of the differences of pixels and of neighbours, at every resolution: fine detail counts, but a
    shape that is moved a little counts less than one that is missing.
    """
    d, total = images - image, torch.zeros(len(images), device=images.device)
    while True:
        total = total + d.square().mean((1, 2, 3))
        for axis in (2, 3):
            if d.shape[axis] > 1:
                total = total + d.diff(dim=axis).square().mean((1, 2, 3))
        if min(d.shape[2:]) < 2 * COARSEST:
            return total
        d = F.avg_pool2d(d, 2)


@torch.no_grad()
def _distances(gan: GAN[Any], latents: Tensor, image: Tensor) -> Tensor:
    return torch.cat([distance(generated(gan, part), image) for part in latents.split(BATCH)])


def _error(image: Tensor, truth: Tensor) -> float:
    return float(((image.clamp(-1, 1) - truth) / 2).square().mean().sqrt())


def error_of(gan: GAN[Any], latent: Tensor, image: Tensor) -> float:
    """Return the error of a latent that an encoder has found, as of one that was projected."""
    with torch.no_grad():
        return _error(generated(gan, latent), image)


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Let a GPU compute the same each time: its quickest kernels add in any order."""
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with (
            warnings.catch_warnings(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            warnings.filterwarnings("ignore", message="(?i).*deterministic")  # where torch knows no such kernel
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
