"""What each variant is known by after a short training, beside a control that must fail.

One table, two readers: `pytest -m slow tests/variants/test_signatures_learn.py` judges it, and
`python -m tests.variants.signatures --kept FILE` writes what it found over five seeds to docs/signature.md.
"""

import argparse
import hashlib
import inspect
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli import divergences, losses, masks
from gancli.data import shapes
from gancli.data.points import MIXTURES
from gancli.metrics import points
from gancli.metrics.accuracy import accuracy
from gancli.scatter import to_points
from gancli.seeds import seed_all
from gancli.variants import bgan
from tests.variants.toys import Linear, against, normal, train_critic
from tests.variants.training import (
    CPU,
    counts,
    oracle,
    purity,
    rows_of,
    small_shapes,
    train,
    two_domains,
    without,
)  # fmt: skip

SEEDS = range(5)
PAGE = Path(__file__).parent.parent.parent / "docs" / "signature.md"
BEGIN, END = "<!-- signatures: written by tests/variants/signatures.py -->", "<!-- end of signatures -->"
Measure = Callable[[int, bool], float]  # of a seed; True: of the control


@dataclass(frozen=True)
class Signature:
    """A number that a variant must have, and its control must not."""

    variant: str
    what: str
    control: str
    threshold: float
    measure: Measure
    least: bool = True  # at least the threshold is good; False: at most

    def good(self, value: float) -> bool:
        """Tell whether the number is what it is known by."""
        return value >= self.threshold if self.least else value <= self.threshold


SIGNATURES: list[Signature] = []


def signature(variant: str, what: str, control: str, threshold: float, *, least: bool = True) -> Callable:
    """Put a measure into the table."""

    def add(measure: Measure) -> Measure:
        SIGNATURES.append(Signature(variant, what, control, threshold, measure, least))
        return measure

    return add


@cache
def folder() -> Path:
    """A folder for pictures that are made on the way."""
    return Path(tempfile.mkdtemp(prefix="gancli-signatures-"))


@contextmanager
def replaced(owner: object, name: str, value: Any) -> Iterator[None]:
    """Put something else in a module's place for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def noise(seed: int, n: int, *size: int) -> Tensor:
    """Draw N(0, 1), (n, *size)."""
    return torch.randn(n, *size, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------------------- games on a line


@signature("gan", "D's slope between N(0, 1) and N(2, 1), which is -2", "the sides are swapped", -1.0, least=False)
def slope(seed: int, control: bool) -> float:
    critic, near, far = Linear(), noise(seed, 2000, 1, 1, 1), noise(seed + 9, 2000, 1, 1, 1) + 2
    train_critic(against("gan", critic, near if control else far, lr=0.1, beta1=0.9), far if control else near, 200)
    return critic.weight.item()


@signature(
    "lsgan", "distance to the data of fakes that D takes for real, of 9 at first", "G's loss is GAN's", 4.5, least=False
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
    """A function of one number, or, for a control, of none."""

    def __init__(self, seed: int, *, blind: bool = False) -> None:
        super().__init__()
        seed_all("curve", seed)
        self.net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.seen = 0.0 if blind else 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.seen * x.flatten(1)).flatten()


def reached(name: str, value: float) -> Measure:
    """The share of a divergence of N(0, 1) from N(1, 1) that a trained V reaches."""

    def measure(seed: int, control: bool) -> float:
        gan: Any = against("fgan", Curve(seed, blind=control), noise(seed, 2000, 1, 1, 1) + 1, lr=5e-3, divergence=name)
        train_critic(gan, noise(seed + 9, 2000, 1, 1, 1), 200)
        with torch.no_grad():
            real, fake = gan.D(normal()), gan.D(normal(1))
        return -divergences.BY_NAME[name].d(real, fake).item() / value

    return measure


for name, value in {"kl": 0.5, "squared-hellinger": 0.2350, "jensen-shannon": 0.2228}.items():
    signature("fgan", f"share of the {name} divergence that V reaches", "V sees nothing", 0.9)(reached(name, value))


def ring(n: int = 64) -> Tensor:
    """Points on a circle (n, 2, 1, 1)."""
    angle = torch.arange(n) / n * 2 * math.pi
    return torch.stack([angle.cos(), angle.sin()], 1)[:, :, None, None]


def mlp_critic(seed: int) -> nn.Sequential:
    seed_all("critic", seed)
    layers = nn.Flatten(), nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)
    return nn.Sequential(*layers)


@signature("wgan", "share of weights at the edge of the box (Gulrajani et al. 2017, figure 1)", "wgan-gp's critic", 0.5)
def share_at_the_edge(seed: int, control: bool) -> float:
    critic = mlp_critic(seed)
    train_critic(against("wgan-gp" if control else "wgan", critic, ring() * 0.3, lr=1e-3), ring(), 300)
    weights = torch.cat([p.detach().abs().flatten() for p in critic.parameters()])
    return float((weights > 0.95 * weights.max()).float().mean())


@signature("dragan", "D's slope at the data", "no penalty", 2.0, least=False)
def slope_at_the_data(seed: int, control: bool) -> float:
    critic, real = Linear(), noise(seed, 64, 1, 1, 1)
    fake = noise(seed + 9, 64, 1, 1, 1) + 3.5
    train_critic(against("dragan", critic, fake, lr=0.1, gp_weight=0.0 if control else 10.0), real, 300)
    return abs(critic.weight.item())


@signature("sngan", "D's steepest slope after 300 steps", "no spectral norm", 0.6, least=False)
def steepest(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 32, "lr": 1e-3, "n_critic": 1}
    gan = train("gan" if control else "sngan", "ring8", 300, seed, live=True, **options)[0]
    x, y = noise(seed, 2000, 2, 1, 1), noise(seed + 9, 2000, 2, 1, 1)
    with torch.no_grad():
        return float(((gan.D(x) - gan.D(y)).abs() / (x - y).flatten(1).norm(dim=1)).max())


# -------------------------------------------------------------------------------------- points and images


def modes(gan: Any, feed: Any) -> float:
    """Modes of the ring that are hit by 2,500 points."""
    return points.score(MIXTURES["ring8"], to_points(gan.fakes(feed.first(2500))))["modes_hit"]


@signature("wgan-gp", "modes of ring8 after 1,000 steps", "no penalty", 4)
def modes_with_a_penalty(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 32, "batch": 128, "n_critic": 2, "gp_weight": 0.0 if control else 0.1}
    return modes(*train("wgan-gp", "ring8", 1000, seed, **options)[:2])


@signature("improved", "modes of ring8 after 800 steps", "no minibatch discrimination", 5)
def modes_with_discrimination(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 8, "lr": 2e-3, "z_dim": 2, "batch": 64}
    return modes(*train("improved", "ring8", 800, seed, kernels=0 if control else 16, **options)[:2])


@torch.no_grad()
def probe(gan: Any, x: Tensor, y: Tensor) -> float:
    """Accuracy on the last third of a ridge classifier of D's features, standardised."""
    features = torch.cat([gan.D.trunk(part).flatten(1) for part in x.split(256)])
    cut, target = 2 * len(x) // 3, F.one_hot(y).float() - 1 / 12
    mean, deviation = features[:cut].mean(0), features[:cut].std(0) + 1e-5
    a, b = (features[:cut] - mean) / deviation, (features[cut:] - mean) / deviation
    weights = torch.linalg.solve(a.T @ a + 100 * torch.eye(a.shape[1]), a.T @ target[:cut])
    return float(((b @ weights).argmax(1) == y[cut:]).float().mean())


@signature("dcgan", "accuracy of a linear probe on D's features, 12 shapes", "D before training", 0.4)
def features_tell_shapes(seed: int, control: bool) -> float:
    f = shapes.factors(shapes.FULL, 7, np.arange(2400))
    x = torch.from_numpy(shapes.render(shapes.FULL, f, 16)).float() / 127.5 - 1
    source = small_shapes(folder(), "shapes", 12)
    gan = train("dcgan", source, 0 if control else 900, seed, live=True, width=16)[0]
    return probe(gan, x, torch.from_numpy(f["shape"]))


@torch.no_grad()
def energies(gan: Any, feed: Any) -> tuple[float, float]:
    """D's mean energy of reals and of noise."""
    real = feed.first(500).image
    return gan.energy(real).mean().item(), gan.energy(torch.rand_like(real) * 2 - 1).mean().item()


@signature("ebgan", "energy of noise over energy of reals, on digits", "D untrained", 1.5)
def noise_has_more_energy(seed: int, control: bool) -> float:
    real, other = energies(*train("ebgan", "digits", 0 if control else 200, seed, width=16)[:2])
    return other / real


@signature("began", "distance of L(G)/L(x) from gamma = 0.9", "k stays 0", 0.1, least=False)
def balance(seed: int, control: bool) -> float:
    options: dict[str, Any] = {"width": 8, "lr": 5e-4, "beta1": 0.0, "gamma": 0.9, "k_rate": 0.0 if control else 0.05}
    means = train("began", "digits", 600, seed, kept=100, **options)[2]
    return abs(means["D/ratio"] - 0.9)


@signature("bgan", "patterns of 30 found, where 2,000 draws are right", "uniform weights of the draws", 3)
def patterns(seed: int, control: bool) -> float:
    with replaced(bgan, "weights", uniform) if control else nullcontext():
        gan, feed, _ = train("bgan", "bars-and-stripes", 800, seed, width=128)
    right = {tuple(row) for row in feed.dataset.columns["image"].flatten(1).gt(0).tolist()}
    with torch.no_grad():
        drawn = [tuple(row) for row in gan.generate(gan.prior(2000)).flatten(1).gt(0).tolist()]
    return len(right & set(drawn)) * sum(row in right for row in drawn) / len(drawn)


def uniform(logits: Tensor) -> Tensor:
    """Weigh all draws alike."""
    return torch.full_like(logits, 1 / logits.shape[1])


# ------------------------------------------------------------------------------------------ labels, codes


def agreement(gan: Any) -> float:
    """How often a classifier of real digits reads the digit that was asked for."""
    return float(counts(gan, judge()).diagonal().sum() / 500)


@cache
def judge() -> nn.Module:
    return oracle("digits")


TOY: dict[str, Any] = {"width": 16, "z_dim": 16, "batch": 64, "lr": 1e-3, "beta1": 0.5, "beta2": 0.999}


@signature("cgan", "share of digits that are those asked for", "D is not told the label", 0.6)
def told(seed: int, control: bool) -> float:
    def blind(gan: Any) -> None:
        judge = gan.D.forward
        gan.D.forward = lambda x, y: judge(x, torch.zeros_like(y))

    return agreement(train("cgan", "digits", 250, seed, blind if control else None, **TOY)[0])


@signature("acgan", "share of digits that are those asked for", "no class term", 0.6)
def named(seed: int, control: bool) -> float:
    return agreement(train("acgan", "digits", 250, seed, class_weight=0.0 if control else 1.0, **TOY)[0])


def held_out(gan: Any, feed: Any) -> float:
    """Accuracy on rows that were not trained on."""
    return accuracy(gan, feed.dataset.held_out, CPU)["accuracy"]


@signature("sgan", "accuracy from four labels a class", "no images without labels", 0.85)
def from_few_labels(seed: int, control: bool) -> float:
    options: dict[str, Any] = TOY | {"labels_per_class": 4, "unlabelled_weight": 0.0 if control else 1.0}
    gan, feed, _ = train("sgan", small_shapes(folder()), 250, seed, **options)
    return held_out(gan, feed)


@signature("infogan", "information on the code in the images, at most ln 10 = 2.303", "no information term", 1.5)
def information(seed: int, control: bool) -> float:
    weight = 0.0 if control else 1.0
    options: dict[str, Any] = TOY | {"info_weight": weight, "continuous_weight": 0.1 * weight, "g_lr": 2e-3}
    return train("infogan", "digits", 250, seed, **options)[2]["D/information"]


# ------------------------------------------------------------------------------------------------- codes

CODES: dict[str, Any] = {"width": 128, "lr": 1e-3}


@signature(
    "aae", "distance of the codes from N(0, 1) (Kolmogorov and Smirnov)", "E does not play against D", 0.25, least=False
)
def distance_to_prior(seed: int, control: bool) -> float:
    gan, feed, _ = train("aae", "digits", 400, seed, without("E") if control else None, **CODES)
    code = gan.encode(feed.first(1000).image).sort(0).values
    below = torch.special.ndtr(code)
    return float((below - (torch.arange(len(code))[:, None] + 0.5) / len(code)).abs().max())


@signature("aae-labels", "share of digits whose code is on the petal of their class", "E does not play against D", 0.3)
def on_its_petal(seed: int, control: bool) -> float:
    gan, _, _ = train("aae-labels", "digits", 400, seed, without("E") if control else None, **CODES)
    real = rows_of("digits")
    return float((gan.label_of(gan.encode(real.image)) == real.label).float().mean())


@signature("aae-semi", "accuracy from ten labels a class", "no phase of labels", 0.5)
def semi(seed: int, control: bool) -> float:
    gan, feed, _ = train("aae-semi", "digits", 400, seed, without("C") if control else None, **CODES)
    return held_out(gan, feed)


@signature("aae-cluster", "purity of the clusters on digits", "E does not play against D", 0.43)
def clustered(seed: int, control: bool) -> float:
    return purity(
        train("aae-cluster", "digits", 500, seed, without("E") if control else None, **CODES)[0], rows_of("digits")
    )


@signature("bigan", "distance of x from G(E(x)), over that for another image", "D is blind to z", 0.85, least=False)
def inversion(seed: int, control: bool) -> float:
    def blind(gan: Any) -> None:
        judge = gan.D.forward
        gan.D.forward = lambda x, z: judge(x, torch.zeros_like(z))

    options: dict[str, Any] = {"width": 128, "z_dim": 8, "lr": 5e-4, "kimg": 50}
    gan, feed, _ = train("bigan", "digits", 800, seed, blind if control else None, **options)
    x = feed.first(512).image
    again = gan.generate(gan.encode(x))
    right, wrong = ((x - y).flatten(1).norm(dim=1).mean() for y in (again, again.roll(1, 0)))
    return float(right / wrong)


@signature(
    "vae", "squared error of reconstructions over that of the mean image", "the code is hidden from G", 0.5, least=False
)
def reconstruction(seed: int, control: bool) -> float:
    def hide(gan: Any) -> None:
        draw = gan.G.forward
        gan.G.forward = lambda z: draw(torch.zeros_like(z))

    gan, feed, _ = train("vae", "digits", 300, seed, hide if control else None, width=128)
    x = feed.first(1000).image
    again = gan.generate(torch.zeros(len(x), 20)) if control else gan.generate(gan.encode(x))
    return float((again - x).square().mean() / (x.mean(0) - x).square().mean())


# --------------------------------------------------------------------------------------- domains and holes


@signature("cogan", "correlation of an image with its pair, of which the data hold none", "nothing is shared", 0.5)
def paired(seed: int, control: bool) -> float:
    options: dict[str, Any] = TOY | {"own_layers": 2 if control else 1}
    gan = train("cogan", two_domains(), 400, seed, **options)[0]
    with torch.no_grad():
        a, b = (x.flatten(1) for x in gan.pair(gan.prior(500)))
    a, b = a - a.mean(0), b - b.mean(0)
    return float(-F.cosine_similarity(a, b).mean())


def decibels(gan: Any, feed: Any) -> float:
    """How much nearer to the truth the filling of a hole is than the mean colour of what is around."""
    image = feed.first(500).image
    mask = masks.centre(image)
    with torch.no_grad():
        filled = gan.fill(image, mask)
    better = (masks.blank(image, mask) - image).square().mean() / (filled - image).square().mean()
    return float(10 * better.log10())


@signature("context-encoder", "dB by which fillings beat the mean colour, on shapes", "G does not see the context", 5.0)
def filled(seed: int, control: bool) -> float:
    def hide(gan: Any) -> None:
        gan.draw = lambda image, mask: type(gan).draw(gan, torch.zeros_like(image), mask)

    source = small_shapes(folder(), "shapes-easy", 12)
    gan, feed, _ = train("context-encoder", source, 200, seed, hide if control else None, width=16, batch=32)
    if control:
        hide(gan)
    return decibels(gan, feed)


@signature(
    "ccgan", "dB by which fillings beat the mean colour, on shapes; no pixel was compared", "D sees them unpasted", 4.5
)
def pasted(seed: int, control: bool) -> float:
    source = small_shapes(folder(), "shapes-easy", 12)
    with replaced(masks, "paste", lambda image, mask, filling: filling) if control else nullcontext():
        gan, feed, _ = train("ccgan", source, 800, seed, width=16, batch=32, lr=5e-4)
    return decibels(gan, feed)


# ------------------------------------------------------------------------------------------------ the page


Found = dict[str, tuple[float, float]]  # by run: the number, and the CPU seconds that it took


def key(one: Signature, seed: int, control: bool) -> str:
    """Name a run; another text of its measure is another run."""
    body = "def " + inspect.getsource(one.measure).partition("def ")[2]  # its threshold may change
    text = hashlib.sha256(body.encode()).hexdigest()[:8]
    return f"{one.variant}: {one.what} ({text}), {'control' if control else 'good'} {seed}"


def measure_all(kept: Path) -> None:
    """Measure what is not yet known, seed after seed, and keep each number at once: it may be stopped."""
    for seed in SEEDS:
        for one in SIGNATURES:
            for control in (False, True):
                found: Found = json.loads(kept.read_text()) if kept.exists() else {}
                if (run := key(one, seed, control)) not in found:
                    start = time.process_time()
                    found[run] = one.measure(seed, control), round(time.process_time() - start, 1)
                    kept.write_text(json.dumps(found, indent=1))
                    print(run, *found[run], "" if one.good(found[run][0]) != control else "WRONG", flush=True)


def row(one: Signature, found: Found) -> str:
    """Lay out what is known of one."""
    runs = [[found[k] for seed in SEEDS if (k := key(one, seed, control)) in found] for control in (False, True)]
    good, bad = ([value for value, _ in arm] for arm in runs)
    holds = all(map(one.good, good)) and not any(map(one.good, bad)) and good and bad
    seconds = [time for arm in runs for _, time in arm]
    bound = f"{'>=' if one.least else '<='} {one.threshold:g}"
    cells = one.variant, one.what, bound, spread(good), one.control, spread(bad), f"{max(seconds, default=0):.0f}"
    seeds = "" if len(good) == len(SEEDS) == len(bad) else f" (of {min(len(good), len(bad))})"
    return f"| {' | '.join(cells)} | {'yes' if holds else '**no**'}{seeds} |"


def spread(values: list[float]) -> str:
    """From the least to the greatest."""
    return f"{min(values):.3g} … {max(values):.3g}" if values else "not run"


def main() -> None:
    """Measure, and write the table between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, required=True, help="a file for the numbers: a stopped run goes on")
    parser.add_argument("--page-only", action="store_true", help="measure nothing more")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not options.page_only:
        measure_all(options.kept)
    found = json.loads(options.kept.read_text())
    titles = (
        "variant",
        "what is measured",
        "must be",
        "found",
        "control",
        "found",
        "s a run",
        "holds (of how many seeds, if not five)",
    )
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|", *(row(one, found) for one in SIGNATURES)]
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    table = "\n".join(lines)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
