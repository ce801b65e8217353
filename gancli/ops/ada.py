"""Augmentations that do not leak into fakes: Karras et al. 2020, "Training GANs with Limited Data", arXiv:2006.06676.

Section 2 and appendix B: each is applied with probability p, drawn for each image anew, to real and generated images
alike; as long as p is well below 1, G learns images without it. All are linear in the image, so gradients pass and
differentiate again. Images are (N, C, H, W) in [-1, 1]; a fourth channel, or a second beside grey, is opacity.
"""

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn

from gancli.ops import warp, wavelets
from gancli.system import dist
from gancli.system.devices import full_precision

BLIT = ("flip", "quarter_turn", "shift")
GEOM = ("scale", "rotate", "stretch", "move")
COLOR = ("brightness", "contrast", "luma_flip", "hue", "saturation")
ALL = (*BLIT, *GEOM, *COLOR, "filter", "noise", "cutout")
GROUPS: Mapping[str, Mapping[str, float]] = {  # each choice: how likely a change is, as a share of p
    "blit": dict.fromkeys(BLIT, 1.0),
    "bg": dict.fromkeys((*BLIT, *GEOM), 1.0),
    "bgc": dict.fromkeys((*BLIT, *GEOM, *COLOR), 1.0),
    "bgcf": dict.fromkeys(ALL[:13], 1.0),
    "bgcfn": dict.fromkeys(ALL[:14], 1.0),
    "bgcfnc": dict.fromkeys(ALL, 1.0),
    "mild": {**dict.fromkeys((*BLIT, *GEOM, "cutout"), 1.0), **dict.fromkeys(COLOR, 0.5)},  # of R3GAN's authors
}
SHIFT = 0.125  # most of a shift in whole pixels, as a share of the side
SCALE = STRETCH = 0.2  # deviations of the logarithms (base 2) of factors
MOVE = 0.125  # deviation of a shift, as a share of the side
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # deviations; of logarithms (base 2) of the last two
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images in the bands of the filter (their spectrum is 1/f)
NOISE = 0.1  # deviation of the deviation
CUT = 0.5  # side of the square that is cut out, as a share of the image's
EVERY = 4  # turns of D between changes of p


class AdaptiveAugmentation(nn.Module):
    """Changes images with a probability p, which is fixed, or with a target adapts to how much D overfits."""

    p: Tensor  # ()
    signs: Tensor  # (), sum over the turns of D since p last changed; only with a target, as is the next
    turns: Tensor  # ()

    def __init__(self, groups: str = "bgc", p: float = 0.0, target: float | None = None, kimg: float = 500.0) -> None:
        super().__init__()
        self.likely, self.target, self.kimg = GROUPS[groups], target, kimg
        self.register_buffer("p", torch.tensor(p))
        if target is not None:
            self.register_buffer("signs", torch.zeros(()))
            self.register_buffer("turns", torch.zeros(()))

    @torch.no_grad()
    def adapt(self, signs: Tensor, images: int) -> None:
        """Record a turn of D: the mean sign of its logits of real images on this process, and how many all have seen.

        After every fourth turn p moves, up if the mean of the signs, r_t, is above the target, where D is too sure of
        real images; from 0 to 1 it takes `kimg`. The authors' p has no upper limit; here it is 1, for a probability.
        """
        if self.target is None:
            return
        self.signs += torch.nan_to_num(dist.mean_over_ranks(signs), nan=self.target)
        self.turns += 1
        due = self.turns >= EVERY  # stays on the device, so that no step waits for it
        way = (self.signs / EVERY - self.target).sign() * due
        self.p.add_(way * (EVERY * images / (self.kimg * 1000))).clamp_(0, 1)
        self.signs *= ~due
        self.turns *= ~due

    def forward(self, x: Tensor) -> Tensor:
        """Change images (N, C, H, W), each its own way; where nothing is drawn, an image stays bit for bit."""
        with full_precision(x.device):
            drawn = _Draws(x, self.p, self.likely)
            x = _blitted(x, drawn)
            x = _warped(x, drawn)
            x = _coloured(x, drawn)
            x = _filtered(x, drawn)
            x = _noisy(x, drawn)
            return _cut(x, drawn)


class _Draws:
    """The random numbers of a batch: whether and how far each image is changed in each way."""

    def __init__(self, x: Tensor, p: Tensor, likely: Mapping[str, float]) -> None:
        self.shape, self.device, self._likely, self._p = x.shape, x.device, likely, p
        ways = len(ALL) + 1 + 3  # two rotations, four bands of the filter
        self._uniform = dist.rows(lambda n: torch.rand(n, ways, 3, device=x.device), len(x))
        self._normal = dist.rows(lambda n: torch.randn(n, ways, 2, device=x.device), len(x))

    def does(self, way: str) -> bool:
        """Return whether a change is among the chosen ones at all."""
        return way in self._likely

    def chosen(self, way: str, extra: int = 0, p: Tensor | None = None) -> Tensor:
        """Return which images are changed, (N,)."""
        p = self._p * self._likely[way] if p is None else p
        return self._uniform[:, self._place(way, extra), 2] < p

    def twice(self, way: str) -> Tensor:
        """Return the probability of each of two changes of which one or both happen with p."""
        return 1 - (1 - self._p * self._likely[way]).clamp(0, 1).sqrt()

    def uniform(self, way: str, extra: int = 0) -> Tensor:
        """Return two numbers in [0, 1) for each image, (N, 2)."""
        return self._uniform[:, self._place(way, extra), :2]

    def normal(self, way: str, extra: int = 0) -> Tensor:
        """Return two numbers from N(0, 1) for each image, (N, 2)."""
        return self._normal[:, self._place(way, extra)]

    def _place(self, way: str, extra: int) -> int:
        return ALL.index(way) if not extra else len(ALL) - 1 + extra


# ------------------------------------------------------------------------------------------------ pixel blits


def _blitted(x: Tensor, drawn: _Draws) -> Tensor:
    """Mirror, turn by quarters (of images that are not square, by halves) and move by whole pixels: nothing blurs."""
    if drawn.does("flip"):
        flipped = drawn.chosen("flip") & (drawn.uniform("flip")[:, 0] < 0.5)
        x = _where(flipped, x.flip(3), x)
    if drawn.does("quarter_turn"):
        turns = (drawn.uniform("quarter_turn")[:, 0] * 4).floor() * drawn.chosen("quarter_turn")
        x = _where((turns == 1) | (turns == 2), x.flip((2, 3)), x)  # by a half
        if x.shape[2] == x.shape[3]:
            x = _where((turns == 2) | (turns == 3), x.transpose(2, 3).flip(2), x)
    if drawn.does("shift"):
        way = (drawn.uniform("shift") * 2 - 1) * SHIFT * drawn.chosen("shift")[:, None]
        x = _shifted(_shifted(x, way[:, 0], 2), way[:, 1], 3)
    return x


def _shifted(x: Tensor, share: Tensor, dim: int) -> Tensor:
    """Move each image along a dimension; what comes in is its mirror image."""
    side = x.shape[dim]
    at = torch.arange(side, device=x.device) - (share * side).round().long()[:, None]  # (N, side): from where
    at = at % (2 * side)
    at = torch.where(at < side, at, 2 * side - 1 - at)
    index = at[:, None, :, None] if dim == 2 else at[:, None, None, :]
    return x.gather(dim, index.expand_as(x))


def _where(chosen: Tensor, changed: Tensor, x: Tensor) -> Tensor:
    """Take the changed image where it is chosen, (N,), else the one that is there, bit for bit."""
    return torch.where(chosen.view(-1, 1, 1, 1), changed, x)


# ------------------------------------------------------------------------------------------------ geometry


def _warped(x: Tensor, drawn: _Draws) -> Tensor:
    """Scale, rotate, stretch along any axis and move, in one go; at twice the resolution, so that little blurs."""
    if not any(drawn.does(way) for way in GEOM):
        return x
    back, chosen = _backwards(drawn)
    return _where(chosen, warp.resampled(x, back), x)


def _backwards(drawn: _Draws) -> tuple[Tensor, Tensor]:
    """Return for each image the map (N, 2, 3) from places in the new image to places in the old, and if it has any.

    Places are in pixels, right and down, from the image's middle.
    """
    n, (height, width) = drawn.shape[0], drawn.shape[2:]
    turn = torch.zeros(n, device=drawn.device)
    back, any_of = _matrix(turn + 1, turn, turn, turn + 1), turn.bool()
    either = drawn.twice("rotate") if drawn.does("rotate") else turn
    for way, extra in (("scale", 0), ("rotate", 0), ("stretch", 0), ("rotate", 1)):
        if drawn.does(way):
            chosen = drawn.chosen(way, extra, either if way == "rotate" else None)
            back, any_of = back @ _linear(way, extra, chosen, drawn), any_of | chosen
    chosen = drawn.chosen("move") if drawn.does("move") else turn.bool()
    right, down = (drawn.normal("move") * MOVE * chosen[:, None]).unbind(1)
    moved = torch.stack([right * width, down * height], 1)
    return torch.cat([back, -(back @ moved[:, :, None])], 2), any_of | chosen


def _linear(way: str, extra: int, chosen: Tensor, drawn: _Draws) -> Tensor:
    """Return the inverse (N, 2, 2) of one change."""
    zero = torch.zeros_like(drawn.normal(way)[:, 0])
    if way == "rotate":
        angle = (drawn.uniform(way, extra)[:, 0] * 2 - 1) * math.pi * chosen
        return _matrix(angle.cos(), angle.sin(), -angle.sin(), angle.cos())
    factor = torch.exp2(-drawn.normal(way)[:, 0] * (SCALE if way == "scale" else STRETCH) * chosen)
    return _matrix(factor, zero, zero, factor if way == "scale" else 1 / factor)


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack([torch.stack([a, b], -1), torch.stack([c, d], -1)], -2)


# ------------------------------------------------------------------------------------------------ colour


def _coloured(x: Tensor, drawn: _Draws) -> Tensor:
    """Change brightness, contrast, luma, hue and saturation: an affine map of the colours, (N, 3, 4)."""
    if not any(drawn.does(way) for way in COLOR):
        return x
    n, channels = drawn.shape[:2]
    matrix = torch.eye(3, device=x.device).expand(n, 3, 3)
    added, any_of = torch.zeros(n, 3, 1, device=x.device), torch.zeros(n, dtype=torch.bool, device=x.device)
    for way in COLOR:
        if drawn.does(way) and (channels > 2 or way in ("brightness", "contrast", "luma_flip")):
            chosen = drawn.chosen(way)
            if way == "brightness":
                added = (drawn.normal(way)[:, :1] * BRIGHTNESS * chosen[:, None]).unsqueeze(2).expand(-1, 3, -1)
            else:
                change = _of_colours(way, chosen, drawn)
                matrix, added = change @ matrix, change @ added
            any_of = any_of | chosen
    matrix, added = matrix.to(x.dtype), added.to(x.dtype)
    return _where(any_of, _recoloured(x, matrix, added), x)


def _of_colours(way: str, chosen: Tensor, drawn: _Draws) -> Tensor:
    """Return the matrix (N, 3, 3) of a change; luma is the part of a colour along the axis of greys."""
    eye = torch.eye(3, device=drawn.device)
    luma = torch.full((3, 3), 1 / 3, device=drawn.device)
    first, second = drawn.uniform(way)[:, 0], drawn.normal(way)[:, 0]
    if way == "contrast":
        return torch.exp2(second * CONTRAST * chosen)[:, None, None] * eye
    if way == "luma_flip":
        return eye - 2 * luma * ((first < 0.5) & chosen)[:, None, None]
    if way == "saturation":
        return luma + (eye - luma) * torch.exp2(second * SATURATION * chosen)[:, None, None]
    angle = ((first * 2 - 1) * math.pi * chosen)[:, None, None]  # about the axis of greys (Rodrigues)
    return luma + (eye - luma) * angle.cos() + _axis(drawn.device, angle.dtype) * angle.sin()


@lru_cache(8)
def _axis(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the matrix of the cross product with the axis of greys."""
    return torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=device, dtype=dtype) / math.sqrt(3)


@lru_cache(8)
def _power(device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.tensor(POWER, device=device, dtype=dtype)


def _recoloured(x: Tensor, matrix: Tensor, added: Tensor) -> Tensor:
    """Apply an affine map of colours to RGB, and what it does to greys to a grey channel; opacity stays."""
    colours = 3 if x.shape[1] > 2 else 1
    if colours == 1:
        matrix, added = matrix.mean(1, keepdim=True).sum(2, keepdim=True), added.mean(1, keepdim=True)
    changed = (matrix @ x[:, :colours].flatten(2) + added).unflatten(2, x.shape[2:])
    return torch.cat([changed, x[:, colours:]], 1)


# ------------------------------------------------------------------------------------------------ corruptions


def _filtered(x: Tensor, drawn: _Draws) -> Tensor:
    """Amplify or weaken bands of frequencies; the expected power of a natural image stays."""
    if not drawn.does("filter"):
        return x
    power, band_of = _power(x.device, torch.get_default_dtype()), torch.arange(wavelets.BANDS, device=x.device)
    gains, any_of = torch.ones(len(x), wavelets.BANDS, device=x.device), torch.zeros(len(x), device=x.device).bool()
    for band in range(wavelets.BANDS):
        chosen = drawn.chosen("filter", 2 + band - 1 if band else 0)
        gain = torch.exp2(drawn.normal("filter", 2 + band - 1 if band else 0)[:, 0] * chosen)
        one = torch.where(band_of == band, gain[:, None], 1.0)
        gains, any_of = gains * one / (power * one.square()).sum(1, keepdim=True).sqrt(), any_of | chosen
    rows, columns = (
        torch.einsum("nb,bij->nij", gains, wavelets.bands(side, x.device))[:, None].to(x.dtype) for side in x.shape[2:]
    )
    return _where(any_of, rows @ (x.contiguous() @ columns.transpose(2, 3)), x)


def _noisy(x: Tensor, drawn: _Draws) -> Tensor:
    """Add noise, of a deviation that is drawn too."""
    if not drawn.does("noise"):
        return x
    noise = dist.rows(lambda n: torch.randn(n, *x.shape[1:], device=x.device), len(x))
    deviation = drawn.normal("noise")[:, 0].abs() * NOISE
    return _where(drawn.chosen("noise"), x + noise * deviation.view(-1, 1, 1, 1), x)


def _cut(x: Tensor, drawn: _Draws) -> Tensor:
    """Set a rectangle of half the sides, anywhere and partly outside, to 0."""
    if not drawn.does("cutout"):
        return x
    middle = drawn.uniform("cutout")
    down, right = (
        ((torch.arange(side, device=x.device) + 0.5) / side - middle[:, i, None]).abs() < CUT / 2
        for i, side in enumerate(x.shape[2:])
    )
    return _where(drawn.chosen("cutout"), x * ~(down[:, None, :, None] & right[:, None, None, :]), x)
