"""Signatures of objectives: one-dimensional games with known solutions, and critics of points."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from gancli.ops import divergences, losses
from gancli.system.seeds import seed_all
from tests.variants.signatures.table import Measure, Table, noise
from tests.variants.toys import Linear, against, normal, train_critic
from tests.variants.training import train

table = Table()


@table.signature(
    "gan",
    "slope of D between N(0, 1) and N(2, 1); the optimum is -2",
    "real and generated samples are swapped",
    -1.0,
    least=False,
)
def slope(seed: int, control: bool) -> float:
    critic, near, far = Linear(), noise(seed, 2000, 1, 1, 1), noise(seed + 9, 2000, 1, 1, 1) + 2
    train_critic(against("gan", critic, near if control else far, lr=0.1, beta1=0.9), far if control else near, 200)
    return critic.weight.item()


@table.signature(
    "lsgan",
    "distance from the data of samples that D classifies as real; 9 at the start",
    "G has the loss of gan",
    4.5,
    least=False,
)
def pull(seed: int, control: bool) -> float:
    adversarial = losses.NONSATURATING if control else losses.LEAST_SQUARES
    fakes = nn.Parameter(10 + noise(seed, 16))
    player = torch.optim.SGD([fakes], lr=0.1)
    for _ in range(200):
        player.zero_grad()
        (len(fakes) * adversarial.g(fakes)).backward()
        player.step()
    return (fakes.detach() - 1).abs().mean().item()


class Curve(nn.Module):
    """A function of one number; for a control, its input is hidden."""

    def __init__(self, seed: int, *, blind: bool = False) -> None:
        super().__init__()
        seed_all("curve", seed)
        self.net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.seen = 0.0 if blind else 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.seen * x.flatten(1)).flatten()


def reached(name: str, value: float) -> Measure:
    """Return a measure: the share of the divergence of N(0, 1) from N(1, 1) that a trained V reaches."""

    def measure(seed: int, control: bool) -> float:
        gan: Any = against("fgan", Curve(seed, blind=control), noise(seed, 2000, 1, 1, 1) + 1, lr=5e-3, divergence=name)
        train_critic(gan, noise(seed + 9, 2000, 1, 1, 1), 200)
        with torch.no_grad():
            real, fake = gan.D(normal()), gan.D(normal(1))
        return -divergences.BY_NAME[name].d(real, fake).item() / value

    return measure


for name, value in {"kl": 0.5, "squared-hellinger": 0.2350, "jensen-shannon": 0.2228}.items():
    table.signature("fgan", f"share of the {name} divergence that V's lower bound reaches", "V's input is hidden", 0.9)(
        reached(name, value)
    )


def ring(n: int = 64) -> Tensor:
    """Return points on a circle (n, 2, 1, 1)."""
    angle = torch.arange(n) / n * 2 * math.pi
    return torch.stack([angle.cos(), angle.sin()], 1)[:, :, None, None]


def mlp_critic(seed: int) -> nn.Sequential:
    seed_all("critic", seed)
    layers = nn.Flatten(), nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)
    return nn.Sequential(*layers)


@table.signature(
    "wgan", "share of weights at the clipping limit (Gulrajani et al. 2017, figure 1)", "wgan-gp's critic", 0.5
)
def share_at_the_edge(seed: int, control: bool) -> float:
    critic = mlp_critic(seed)
    train_critic(against("wgan-gp" if control else "wgan", critic, ring() * 0.3, lr=1e-3), ring(), 300)
    weights = torch.cat([p.detach().abs().flatten() for p in critic.parameters()])
    return float((weights > 0.95 * weights.max()).float().mean())


@table.signature("dragan", "slope of D at the data", "no penalty", 2.0, least=False)
def slope_at_the_data(seed: int, control: bool) -> float:
    critic, real = Linear(), noise(seed, 64, 1, 1, 1)
    fake = noise(seed + 9, 64, 1, 1, 1) + 3.5
    train_critic(against("dragan", critic, fake, lr=0.1, gp_weight=0.0 if control else 10.0), real, 300)
    return abs(critic.weight.item())


@table.signature("sngan", "largest slope of D after 300 steps", "no spectral norm", 0.6, least=False)
def steepest(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 32, "lr": 1e-3, "n_critic": 1}
    gan = train("gan" if control else "sngan", "ring8", 300, seed, live=True, **options)[0]
    x, y = noise(seed, 2000, 2, 1, 1), noise(seed + 9, 2000, 2, 1, 1)
    with torch.no_grad():
        return float(((gan.D(x) - gan.D(y)).abs() / (x - y).flatten(1).norm(dim=1)).max())
