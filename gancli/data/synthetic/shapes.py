"""The built-in images: twelve shapes rendered from known factors, so nothing is stored or downloaded.

Image `index` of `seed` is a pure function: any subset, size or order of them is made on demand.
Letters: B batch, S side in pixels. Object coordinates: u to the right, v up, the shape's radius about 1.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Factors = dict[str, NDArray]  # name -> (B,): the discrete ones are int64, the continuous ones float32

SHAPES = ("disc", "square", "triangle", "star", "heart", "cross", "ring", "moon", "drop", "flower", "arrow", "bolt")
TEXTURES = ("solid", "striped", "dotted", "outlined")
COLOURS = {
    "red": (226, 48, 45), "orange": (245, 140, 28), "yellow": (247, 212, 42), "green": (52, 168, 72),
    "cyan": (42, 196, 208), "blue": (45, 92, 214), "purple": (130, 62, 190), "pink": (238, 96, 172),
}  # fmt: skip
GROUNDS = {
    "white": (244, 244, 246), "grey": (150, 154, 162), "black": (34, 36, 42),
    "navy": (34, 50, 92), "brown": (120, 92, 70), "mint": (190, 226, 206),
}  # fmt: skip
SEED = 2014  # of the training images; the factor readers and tests use other seeds


@dataclass(frozen=True)
class Preset:
    """Which factors vary, and how far. Sizes and positions are in half sides of the image, angles in degrees."""

    name: str
    colours: dict[str, tuple[int, int, int]]
    grounds: dict[str, tuple[int, int, int]]
    textures: tuple[str, ...]
    size: tuple[float, float]
    angle: tuple[float, float]
    offset: tuple[float, float]
    pixels: int = 32
    channels: int = 3
    modes: tuple[str, ...] = ("shape", "colour")  # the factors whose combinations count as modes

    @property
    def counts(self) -> dict[str, int]:
        """The number of values of each discrete factor."""
        kinds = {"shape": SHAPES, "colour": self.colours, "ground": self.grounds, "texture": self.textures}
        return {name: len(values) for name, values in kinds.items()}


FULL = Preset("shapes", COLOURS, GROUNDS, TEXTURES, (0.40, 0.72), (-25, 25), (-0.22, 0.22))
EASY = Preset("shapes-easy", COLOURS, {"black": (0, 0, 0)}, ("solid",), (0.62, 0.66), (-3, 3), (-0.025, 0.025))
MONO = Preset(
    "shapes-mono", {"white": (255, 255, 255)}, {"black": (0, 0, 0)}, ("solid", "outlined"),
    (0.56, 0.72), (-15, 15), (-0.10, 0.10), pixels=28, channels=1, modes=("shape", "texture"),
)  # fmt: skip
DOMAINS = Preset(
    "shapes-domains", COLOURS, {"white": GROUNDS["white"]}, ("outlined", "solid"),
    (0.52, 0.72), (-20, 20), (-0.18, 0.18), pixels=16, modes=("shape", "texture"),
)  # fmt: skip
PRESETS = {preset.name: preset for preset in (FULL, EASY, MONO, DOMAINS)}


# ---------------------------------------------------------------------------------------------- factors


def factors(preset: Preset, seed: int, index: NDArray) -> Factors:
    """Sample the factors of images `index` (B,): independent and uniform, the same on every machine."""
    ranges = {"size": preset.size, "angle": preset.angle, "x": preset.offset, "y": preset.offset}
    drawn: Factors = {
        name: (_uniform(seed, index, key) * count).astype(np.int64)
        for key, (name, count) in enumerate(preset.counts.items())
    }
    for key, (name, (low, high)) in enumerate(ranges.items(), start=len(drawn)):
        drawn[name] = (low + (high - low) * _uniform(seed, index, key)).astype(np.float32)
    return drawn


def _uniform(seed: int, index: NDArray, key: int) -> NDArray[np.float64]:
    """Sample U[0, 1) as a hash of (seed, index, key): integers only, so it cannot differ between machines."""
    counter = _mix(np.full(np.shape(index), seed, np.uint64)) ^ np.asarray(index).astype(np.uint64)
    return (_mix(_mix(counter) ^ np.uint64(key)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014, Fast splittable pseudorandom number generators)."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


# ---------------------------------------------------------------------------------- outlines and distances

CELLS = 96  # side of a distance table
EXTENT = 1.45  # a table covers [-EXTENT, EXTENT]^2 in object coordinates
TAU = 2 * math.pi


def _polar(radius: Array | float, degrees: NDArray) -> NDArray:
    radians = np.radians(degrees)
    return np.stack([radius * np.cos(radians), radius * np.sin(radians)], 1)


def _polygon(corners: int, radius: float, start: float) -> NDArray:
    return _polar(radius, start + 360 / corners * np.arange(corners))


def _star() -> NDArray:
    spoke = np.arange(10)
    return _polar(np.where(spoke % 2, 0.45, 1.1), 90 + 36 * spoke)


def _heart() -> NDArray:
    t = np.linspace(0, TAU, 160, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, y + 2], 1) / 16.5


def _flower() -> NDArray:
    t = np.linspace(0, TAU, 160, endpoint=False)
    r = 0.74 + 0.28 * np.cos(6 * t)
    return np.stack([r * np.sin(t), r * np.cos(t)], 1)


def _moon() -> NDArray:
    """Return a unit circle minus a smaller one beside it, as one contour."""
    outer = _polar(1.0, np.linspace(52, 308, 110))
    centre = 0.62
    reach = math.hypot(outer[0, 0] - centre, outer[0, 1])
    bite = math.degrees(math.atan2(outer[0, 1], outer[0, 0] - centre))
    inner = _polar(reach, np.linspace(360 - bite, bite, 90))[1:-1] + np.array((centre, 0.0))
    return np.concatenate([outer, inner]) + np.array((0.3, 0.0))


def _drop() -> NDArray:
    return np.concatenate([_polar(0.68, np.linspace(150, 390, 120)) - [0, 0.32], [[0, 1.12]]])


def _cross() -> NDArray:
    w = 0.34
    right = [(w, 1), (w, w), (1, w), (1, -w), (w, -w), (w, -1)]
    return np.array([*right, *[(-x, -y) for x, y in right]])


def _arrow() -> NDArray:
    right = [(0.85, 0.1), (0.32, 0.1), (0.32, -1)]
    return np.array([(0, 1.05), *right, *[(-x, y) for x, y in reversed(right)]])


def _bolt() -> NDArray:
    return np.array([(0.35, 1.1), (-0.6, -0.15), (-0.08, -0.15), (-0.35, -1.1), (0.62, 0.22), (0.1, 0.22)])


def _outlines(shape: str) -> list[NDArray]:
    """Return closed polygons (n, 2), filled by the even-odd rule."""
    match shape:
        case "disc":
            return [_polygon(160, 0.9, 0)]
        case "square":
            return [_polygon(4, 1.1, 45)]
        case "triangle":
            return [_polygon(3, 1.1, 90)]
        case "ring":
            return [_polygon(160, 1.0, 0), _polygon(160, 0.5, 0)]
    drawn = {"star": _star, "heart": _heart, "cross": _cross, "moon": _moon}
    drawn |= {"drop": _drop, "flower": _flower, "arrow": _arrow, "bolt": _bolt}
    return [drawn[shape]()]


def _signed_distance(polygons: list[NDArray]) -> Array:
    """Compute the distance to the outline at the table's cells (CELLS, CELLS), negative inside."""
    centre = (np.arange(CELLS) + 0.5) / CELLS * 2 * EXTENT - EXTENT
    x, y = (grid.reshape(-1, 1) for grid in np.meshgrid(centre, -centre))
    nearest = np.full(len(x), np.inf)
    inside = np.zeros(len(x), bool)
    for a in polygons:
        b = np.roll(a, -1, 0)
        (ax, ay), (ex, ey) = a.T, (b - a).T
        along = np.clip(((x - ax) * ex + (y - ay) * ey) / np.maximum(ex**2 + ey**2, 1e-12), 0, 1)
        distance = np.hypot(x - ax - along * ex, y - ay - along * ey)
        nearest = np.minimum(nearest, distance.min(1))
        crosses = (ay > y) != (b[:, 1] > y)
        # where a ray to the right crosses the edge; edges that it does not cross may divide by zero
        meets = ax + (y - ay) * ex / np.where(ey == 0, 1, ey)
        inside ^= (crosses & (x < meets)).sum(1) % 2 == 1
    return np.where(inside, -nearest, nearest).reshape(CELLS, CELLS).astype(np.float32)


@lru_cache(maxsize=1)
def _tables() -> Array:
    return np.stack([_signed_distance(_outlines(shape)) for shape in SHAPES]).ravel()


def _distance(shape: NDArray, u: Array, v: Array) -> Array:
    """Interpolate the signed distance of `shape` (B, 1, 1) at (u, v), bilinearly."""
    scale = np.float32(CELLS / (2 * EXTENT))
    gx = np.clip((u + np.float32(EXTENT)) * scale - np.float32(0.5), 0, CELLS - 1.001)
    gy = np.clip((np.float32(EXTENT) - v) * scale - np.float32(0.5), 0, CELLS - 1.001)
    ix, iy = gx.astype(np.int32), gy.astype(np.int32)
    fx, fy = (gx - ix).astype(np.float32), (gy - iy).astype(np.float32)
    at, table = (shape.astype(np.int32) * CELLS + iy) * CELLS + ix, _tables()
    top = table.take(at) * (1 - fx) + table.take(at + 1) * fx
    bottom = table.take(at + CELLS) * (1 - fx) + table.take(at + CELLS + 1) * fx
    return (top * (1 - fy) + bottom * fy).astype(np.float32, copy=False)


# --------------------------------------------------------------------------------------------- rendering

LINE = 0.09  # half the width of an outline, in object units
CHUNK = 2**16  # pixels rendered at a time, so that the planes stay in the cache


def render(preset: Preset, f: Factors, pixels: int | None = None) -> NDArray[np.uint8]:
    """Render images (B, C, S, S) from their factors: anti-aliased, lit from the top left, with a soft shadow."""
    side = pixels or preset.pixels
    step = max(1, CHUNK // side**2)
    parts = range(0, len(f["shape"]), step)
    drawn = [_render({name: value[i : i + step] for name, value in f.items()}, preset, side) for i in parts]
    empty = np.empty((0, preset.channels, side, side), np.uint8)
    return np.concatenate([empty, *drawn])


def coverage(f: Factors, side: int) -> Array:
    """Return the share of each pixel that the filled shape covers (B, S, S), in [0, 1]."""
    u, v, scale = _object_coordinates(f, side)
    return _clip(0.5 - _distance(_column(f["shape"]), u, v) * scale)


def outline(f: Factors, side: int) -> Array:
    """Return the share of each pixel that the shape's outline covers (B, S, S), in [0, 1]."""
    u, v, scale = _object_coordinates(f, side)
    return _line(_distance(_column(f["shape"]), u, v), scale)


def _column(values: NDArray) -> NDArray:
    return np.asarray(values).reshape(-1, 1, 1)


def _clip(values: NDArray) -> Array:
    return np.clip(values, 0, 1).astype(np.float32, copy=False)


def _line(distance: Array, scale: Array) -> Array:
    return _clip(0.5 + (LINE - np.abs(distance + LINE)) * scale)


def _object_coordinates(f: Factors, side: int, shift: tuple[float, float] = (0, 0)) -> tuple[Array, Array, Array]:
    """Return u and v of every pixel (B, S, S), and pixels per object unit (B, 1, 1)."""
    at = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = at[None, None, :] - _column(f["x"]) - shift[0], -at[None, :, None] - _column(f["y"]) - shift[1]
    angle, size = np.radians(_column(f["angle"])), _column(f["size"])
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = (cos * x + sin * y) / size, (cos * y - sin * x) / size
    return u.astype(np.float32), v.astype(np.float32), (size * side / 2).astype(np.float32)


def _second_tone(texture: NDArray, u: Array, v: Array, scale: Array) -> Array:
    """Return 1 where a striped or dotted shape shows its light tone (B, S, S)."""
    soft = scale * 0.12
    stripes = 0.5 + np.sin(u * (TAU * 1.45) + 0.6) * soft
    du, dv = (w / 0.52 - np.round(w / 0.52) for w in (u, v))
    dots = 0.5 + (0.27 - np.hypot(du, dv)) * soft * 4
    tone = np.where(texture == "striped", stripes, np.where(texture == "dotted", dots, 0))
    return _clip(tone)


def _render(f: Factors, preset: Preset, side: int) -> NDArray[np.uint8]:
    palette, grounds = (np.array(list(c.values()), np.float32) / 255 for c in (preset.colours, preset.grounds))
    texture = _column(np.array(preset.textures)[f["texture"]])
    shape = _column(f["shape"])
    u, v, scale = _object_coordinates(f, side)
    distance = _distance(shape, u, v)

    down = (np.arange(side, dtype=np.float32) + 0.5).reshape(1, 1, side, 1) / side  # 0 at the top, 1 at the bottom
    image = grounds[f["ground"]][:, :, None, None] * (1 - 0.12 * down)  # (B, 3, S, 1)
    shadow_u, shadow_v, _ = _object_coordinates(f, side, (0.06, -0.08))
    shadow = np.clip(0.5 - _distance(shape, shadow_u, shadow_v) * 3.2, 0, 1) * (texture != "outlined")
    image = image * (1 - 0.38 * shadow)[:, None]  # (B, 3, S, S)

    light = 1 + 0.112 * np.clip(v - u, -1.4, 1.4)
    tone = _second_tone(texture, u, v, scale) if set(preset.textures) & {"striped", "dotted"} else np.zeros_like(u)
    fill = np.clip(palette[f["colour"]][:, :, None, None] * light[:, None], 0, 1)
    fill = fill + (1 - fill) * (0.6 * tone)[:, None]
    alpha = np.where(texture == "outlined", _line(distance, scale), np.clip(0.5 - distance * scale, 0, 1))
    image = image + (fill - image) * alpha[:, None]
    if preset.channels == 1:
        image = image.mean(1, keepdims=True)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
