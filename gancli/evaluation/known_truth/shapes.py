"""Scores for the built-in shapes without a network: the factors of an image are recovered by re-rendering.

An image is *valid* if some setting of the factors renders it to within `VALID`; these factors give its mode.
Letters as in `gancli.data.synthetic.shapes`.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gancli.data.synthetic.shapes import SHAPES, Array, Factors, Preset, coverage, outline, render

VALID = 0.06  # rms in [0, 1]; the 99th percentile of real images is 0.035, averages of two real ones start at 0.078
PATCH = 24  # side of a silhouette moved to its centroid and scaled to its radius
ANGLES = np.arange(-30, 31, 5.0, dtype=np.float32)
GUESSES = 5  # silhouettes tried for each image
CHUNK = 256  # images processed at a time
TEMPLATE = {"size": 0.56, "side": 64}


def score(preset: Preset, images: NDArray[np.uint8]) -> dict[str, float]:
    """Return valid share and mode coverage of images (N, C, S, S), and the KL divergence of their modes from uniform.

    Coverage and divergence count only valid images, because noise would "hit" modes too. The divergence is NaN if
    no image is valid, and biased upwards by about (modes - 1) / 2N, so compare it at equal N.
    """
    f, rms = read(preset, images)
    valid = rms < VALID
    sizes = [preset.counts[name] for name in preset.modes]
    mode = np.ravel_multi_index([f[name][valid] for name in preset.modes], sizes)
    share = np.bincount(mode, minlength=int(np.prod(sizes))) / max(valid.sum(), 1)
    hit = share[share > 0]
    divergence = float((hit * np.log(hit * len(share))).sum()) if valid.any() else float("nan")
    return {"valid_share": float(valid.mean()), "mode_coverage": len(hit) / len(share), "mode_kl": divergence}


def read(preset: Preset, images: NDArray[np.uint8]) -> tuple[Factors, Array]:
    """Return the factors of each image (N, C, S, S), and the rms difference (N,) in [0, 1] to their rendering.

    The angle of a solid disc or ring is arbitrary.
    """
    parts = [_read(preset, images[i : i + CHUNK]) for i in range(0, len(images), CHUNK)]
    joined = {name: np.concatenate([f[name] for f, _ in parts]) for name in parts[0][0]}
    return joined, np.concatenate([rms for _, rms in parts])


def _read(preset: Preset, images: NDArray[np.uint8]) -> tuple[Factors, Array]:
    pixels = np.repeat(images, 3 // images.shape[1], 1).astype(np.float32) / np.float32(255)  # (B, 3, S, S)
    ground, mask = _foreground(preset, pixels)
    colour = _colour(preset, pixels, mask)
    candidates = _candidates(preset, mask, {"ground": ground, "colour": colour})
    f, rms = _best(preset, images, candidates)
    for scale in (1.0, 0.5, 0.25):
        f, rms = _best(preset, images, [f, *_neighbours(f, scale)])
    return f, rms


def _foreground(preset: Preset, pixels: Array) -> tuple[NDArray, Array]:
    """Estimate the ground (B,), and how much each pixel belongs to the shape (B, S, S), in [0, 1]."""
    ground, difference = differences(preset, pixels)
    top: Array = np.quantile(difference.reshape(len(pixels), -1), 0.985, axis=1)[:, None, None] + 1e-3
    return ground, np.clip((difference / top - 0.30) / 0.25, 0, 1)


def differences(preset: Preset, pixels: Array) -> tuple[NDArray, Array]:
    """Estimate the ground (B,) from the border of (B, 3, S, S) in [0, 1], and each pixel's difference from it."""
    side = pixels.shape[-1]
    edge = max(2, side // 24)
    border = np.concatenate([pixels[..., :edge], pixels[..., -edge:]], 3).mean(3)  # (B, 3, S)
    down = np.linspace(-1, 1, side, dtype=np.float32)
    level, slope = border.mean(2), (border * down).sum(2) / (down**2).sum()
    fitted = level[..., None] + slope[..., None] * down  # grounds darken evenly from top to bottom
    grounds = np.array(list(preset.grounds.values()), np.float32) / 255
    ground = ((level[:, None] / 0.94 - grounds) ** 2).sum(-1).argmin(1)
    chroma = np.ptp(pixels, 1) - np.ptp(fitted, 1)[..., None]
    return ground, np.abs(pixels - fitted[..., None]).max(1) + 0.6 * np.abs(chroma)


def _colour(preset: Preset, pixels: Array, mask: Array) -> NDArray:
    """Return the nearest palette colour (B,) in chroma, which light and shade do not change."""
    weight = np.clip(np.ptp(pixels, 1) - 0.15, 0, 1) * mask
    mean: Array = (pixels * weight[:, None]).sum((2, 3)) / (weight.sum((1, 2))[:, None] + np.float32(1e-6))
    return nearest_colour(preset, mean)


def nearest_colour(preset: Preset, rgb: Array) -> NDArray:
    """Return the palette colour (B,) whose chroma is nearest to that of (B, 3)."""
    palette = np.array(list(preset.colours.values()), np.float32) / 255
    return (_unit(rgb) @ _unit(palette).T).argmax(1)


def _unit(rows: NDArray) -> Array:
    centred: Array = (rows - rows.mean(1, keepdims=True)).astype(np.float32)
    return centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6)


def _normalised(mask: Array) -> tuple[Array, Array, Array, Array]:
    """Normalise silhouettes' position and size: unit vectors (B, PATCH^2), with centroid x, y and radius (B,)."""
    count, side = len(mask), mask.shape[-1]
    at = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    mass = mask.sum((1, 2)) + 1e-6
    x, y = (mask * at).sum((1, 2)) / mass, (mask * -at[:, None]).sum((1, 2)) / mass
    dx, dy = at - x[:, None, None], -at[:, None] - y[:, None, None]
    radius = np.sqrt((mask * (dx**2 + dy**2)).sum((1, 2)) / mass) + 1e-6
    reach = ((np.arange(PATCH) + 0.5) / PATCH * 2 - 1) * 2.1 * radius[:, None]  # (B, PATCH)
    column = np.clip((x[:, None] + reach + 1) / 2 * side - 0.5, 0, side - 1.001)
    row = np.clip((1 - y[:, None] + reach) / 2 * side - 0.5, 0, side - 1.001)
    i, j = row.astype(int)[:, :, None], column.astype(int)[:, None, :]
    di, dj = row[:, :, None] - i, column[:, None, :] - j
    b = np.arange(count)[:, None, None]
    top = mask[b, i, j] * (1 - dj) + mask[b, i, j + 1] * dj
    bottom = mask[b, i + 1, j] * (1 - dj) + mask[b, i + 1, j + 1] * dj
    return _unit((top * (1 - di) + bottom * di).reshape(count, -1)), x, y, radius


@lru_cache(maxsize=1)
def _templates() -> tuple[Array, Array]:
    """Render silhouettes (2K, angles, PATCH^2) of all shapes, filled, then outlined, and (x, y, radius) for each.

    Position and radius are relative to the size of the rendered shape.
    """
    count = len(SHAPES) * len(ANGLES)
    still = np.zeros(count, np.float32)
    f = {"shape": np.repeat(np.arange(len(SHAPES)), len(ANGLES)), "angle": np.tile(ANGLES, len(SHAPES))}
    f |= {"size": np.full(count, TEMPLATE["size"], np.float32), "x": still, "y": still}
    drawn = [_normalised(draw(f, int(TEMPLATE["side"]))) for draw in (coverage, outline)]
    patches = np.concatenate([patch for patch, *_ in drawn])
    placed = np.concatenate([np.stack(where, 1) for _, *where in drawn]) / TEMPLATE["size"]
    return patches.reshape(-1, len(ANGLES), PATCH**2), placed.reshape(-1, len(ANGLES), 3)


def _candidates(preset: Preset, mask: Array, known: Factors) -> list[Factors]:
    """Return the most similar silhouettes, each at its best angle and with every texture; re-rendering decides."""
    patches, placed = _templates()
    patch, x, y, radius = _normalised(mask)
    alike = np.einsum("bp,kap->bka", patch, patches, optimize=True)
    angle = alike.argmax(2)
    order = np.argsort(-alike.max(2), 1)[:, :GUESSES].T
    candidates = []
    for kind in order:
        at = angle[np.arange(len(mask)), kind]
        px, py, pr = placed[kind, at].T
        size = np.clip(radius / pr, 0.2, 1).astype(np.float32)
        f = known | {"shape": kind % len(SHAPES), "angle": ANGLES[at], "size": size}
        f |= {"x": (x - px * size).astype(np.float32), "y": (y - py * size).astype(np.float32)}
        candidates += _textured(preset, f)
    # the silhouette of a disc does not show its angle, but its stripes and dots do
    best = {name: value for name, value in candidates[0].items() if name != "texture"}
    turned = [best | {"angle": np.full(len(mask), turn, np.float32)} for turn in (-20, -10, 0, 10, 20)]
    patterned = len(preset.textures) > 2
    return candidates + [f for g in turned for f in _textured(preset, g) if patterned]


def _textured(preset: Preset, f: Factors) -> list[Factors]:
    return [f | {"texture": np.full(len(f["shape"]), t)} for t in range(len(preset.textures))]


def _neighbours(f: Factors, scale: float) -> list[Factors]:
    steps = {"angle": 4, "x": 0.03, "y": 0.03, "size": 0.03}
    return [
        f | {name: (f[name] + np.float32(sign * step * scale)).astype(np.float32)}
        for name, step in steps.items()
        for sign in (1, -1)
    ]


def _best(preset: Preset, images: NDArray[np.uint8], candidates: list[Factors]) -> tuple[Factors, Array]:
    """Return for each image the candidate whose rendering is nearest, and its rms."""
    target = images.astype(np.float32)
    error = np.stack(
        [((render(preset, f, images.shape[-1]) - target) ** 2).mean((1, 2, 3)) for f in candidates]
    )  # (candidates, B)
    chosen = error.argmin(0), np.arange(len(images))
    picked = {name: np.stack([f[name] for f in candidates])[chosen] for name in candidates[0]}
    return picked, (np.sqrt(error[chosen]) / 255).astype(np.float32)
