"""Directions in latent space that change images most.

SeFa: Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs", arXiv:2007.06600, eq. 5.
GANSpace: Harkonen et al. 2020, "GANSpace: Discovering Interpretable GAN Controls", arXiv:2004.02546, section 2.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from gancli.capabilities import Appends, Samples
from gancli.checkpoints.find import Model
from gancli.checkpoints.run_folder import CHECKPOINTS
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference.sampling import latents
from gancli.inference.sampling.styles import is_styled, parse_layers, styled, styles_of
from gancli.system.seeds import aside
from gancli.system.untrusted.door import check_folder

FOLDER, SUFFIX = "directions", ".direction"
EXTRA = 8  # components beyond those wanted, for precision
SAMPLES = 2000  # of the prior, for principal components, and for the length of a deviation

By = Literal["sefa", "pca"]


@dataclass(frozen=True)
class Finder:
    """How directions are found."""

    by: By = "sefa"
    layers: str | None = None  # style layers that a direction moves; None: all


# ------------------------------------------------------------------------------------------------- finding


@torch.inference_mode()
def find(gan: GAN[Any], how: Finder) -> Tensor:
    """Return all directions, one standard deviation of the latents long, the strongest first: (D, Z) or (D, L, W)."""
    if how.layers is not None:
        styled(gan, f"--layers {how.layers}")
    with aside("directions"):
        z = cast(Samples, gan).prior(SAMPLES)
        return _of_styles(gan, z, how) if is_styled(gan) else _of_noise(gan, z, how)


def _of_styles(gan: GAN[Any], z: Tensor, how: Finder) -> Tensor:
    count = cast(Any, gan).style_layers
    layers = parse_layers(how.layers, count)
    w = styles_of(gan, z)[:, layers[0]].double()
    found = sefa(_style_weights(gan, layers)) if how.by == "sefa" else principal(w)
    directions = torch.zeros(len(found), count, w.shape[1])
    directions[:, layers] = scaled(found, w).float()[:, None]
    return directions


def _of_noise(gan: GAN[Any], z: Tensor, how: Finder) -> Tensor:
    axes = gan.noise_axes if isinstance(gan, Appends) else z.shape[1]
    noise = z[:, :axes].double()
    if how.by == "sefa":
        probes = z[:1].repeat(axes + 1, 1)  # labels and codes stay the same
        probes[:, :axes] = torch.cat([torch.zeros(1, axes), torch.eye(axes)])
        out = _first_layer(gan, probes)
        found = scaled(sefa(out[1:] - out[0]), noise)
    else:
        found = regressed(_first_layer(gan, z), noise)
    directions = torch.zeros(len(found), z.shape[1])
    directions[:, :axes] = found.float()
    return directions


def sefa(weight: Tensor) -> Tensor:
    """Return the unit directions (D, D) that a layer of weights (D, outputs) stretches most: A^T A's eigenvectors."""
    a = weight.double()
    return _signed(torch.linalg.eigh(a @ a.T).eigenvectors.T.flip(0))


def principal(x: Tensor) -> Tensor:
    """Return the principal components of samples (N, D), as unit rows (D, D)."""
    centred = x - x.mean(0)
    return _signed(torch.linalg.eigh(centred.T @ centred).eigenvectors.T.flip(0))


def regressed(activations: Tensor, z: Tensor) -> Tensor:
    """Return the changes of z (D, Z) that come with one deviation along each principal component of activations (N, F).

    They are those of a linear regression (GANSpace, section 2.2).
    """
    y = activations.double() - activations.double().mean(0)
    kept = min(z.shape[1], *y.shape)  # a linear layer gives no more
    vectors, values, _ = torch.svd_lowrank(y, min(kept + EXTRA, *y.shape), niter=4)
    coordinates = vectors[:, :kept] * len(y) ** 0.5  # of unit deviation
    there = values[:kept] > 1e-5 * values[0]
    return _signed((coordinates.T @ (z - z.mean(0)) / len(y))[there])


def scaled(directions: Tensor, x: Tensor) -> Tensor:
    """Scale unit directions (D, Z) to one standard deviation of samples (N, Z) along them."""
    return directions * (x @ directions.T).std(0)[:, None]


def steps_of(reach: float, count: int) -> list[str]:
    """Return the captions of `count` steps from -reach to +reach, along a direction or an axis."""
    values = torch.linspace(-reach, reach, count).tolist()
    return [f"{value:+.2f}" if abs(value) >= 0.005 else "0" for value in values]


def _signed(rows: Tensor) -> Tensor:
    """Make the largest number of each row positive: the sign of an eigenvector is arbitrary."""
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    return rows * largest.sign()


def along(latent: Tensor, direction: Tensor, reach: float, count: int) -> Tensor:
    """Return `count` latents (count, …) from -reach to +reach standard deviations beside one (1, …)."""
    return latent + torch.linspace(-reach, reach, count).view(-1, *[1] * direction.dim()) * direction


# ------------------------------------------------------------------------------------------------- layers


class _Reached(Exception):
    """The layer that is looked for has run: the rest of the network need not."""


def _hooked(gan: GAN[Any], hook: Callable[[nn.Module, Any, Any], None], run: Callable[[], object]) -> None:
    """Run a model with a hook on all layers that have a weight."""
    layers = [layer for layer in gan.modules() if isinstance(getattr(layer, "weight", None), Tensor)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        run()
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _first_layer(gan: GAN[Any], z: Tensor) -> Tensor:
    """Return the outputs (N, F), as float64, of the first layer with a weight that tells latents (N, Z) apart."""
    found: list[Tensor] = []

    def hook(_layer: nn.Module, _given: Any, out: Any) -> None:
        if isinstance(out, Tensor) and len(out) == len(z) and not torch.equal(out, out[:1].expand_as(out)):
            found.append(out.detach().flatten(1).double())
            raise _Reached

    _hooked(gan, hook, lambda: cast(Samples, gan).generate(z))
    if not found:
        raise UserError(f"{type(gan).__name__} has no layer that takes its latents, so no directions can be found")
    return found[0]


def _style_weights(gan: GAN[Any], layers: tuple[int, ...]) -> Tensor:
    """Return the weights (W, outputs) of all layers that take the styles of some layers directly."""
    with aside("probe"):
        w = styles_of(gan, cast(Samples, gan).prior(1))
        w = w + torch.randn_like(w)  # so that each layer's style can be told from the others'
    found: dict[nn.Module, None] = {}

    def hook(layer: nn.Module, given: Any, out: Any) -> None:
        if not (given and isinstance(given[0], Tensor) and isinstance(out, Tensor) and out.dim() == 2):
            return  # what turns w into maps holds such a layer
        if any(torch.equal(given[0], w[:, i]) for i in layers):
            found[layer] = None

    _hooked(gan, hook, lambda: cast(Any, gan).synthesise(w))
    if not found:
        raise UserError(f"{type(gan).__name__} has no layer that takes w directly: give --by pca")
    ends = torch.cat([torch.zeros(1, w.shape[2]), torch.eye(w.shape[2])])
    outputs = [layer(ends).double().flatten(1) for layer in found]
    return torch.cat([out[1:] - out[0] for out in outputs], 1)


# ------------------------------------------------------------------------------------------------- by name


def named(gan: GAN[Any], model: Model, name: str, how: Finder) -> Tensor:
    """Return a direction, (Z,) or (L, W): by its number, or by the name that the user gave it."""
    if not name.isdecimal():
        path = _file(model, name)
        if not path.exists():
            known = ", ".join(_names(path.parent)) or "none yet: interpolate --direction 3 --name smile gives one"
            raise UserError(f"--direction {name}: no direction has this name; give a number, or one of: {known}")
        return latents.load(path, gan, model, kind="direction")[0][0]
    found = find(gan, how)
    if int(name) >= len(found):
        raise UserError(f"--direction {name}: this model has directions 0 to {len(found) - 1}, or give a saved name")
    return found[int(name)]


def keep(model: Model, name: str, direction: Tensor, source: str) -> Path:
    """Save a direction under a name, in the run folder or beside the model's file; never replace another one."""
    path = check_new(model, name)
    space: latents.Space = "z" if direction.dim() == 1 else "w+"
    about = latents.SavedAbout(space, model.about.variant, model.fingerprint, "direction", source)
    latents.save(path, direction, about)
    return path


def check_new(model: Model, name: str) -> Path:
    """Return where a direction is saved; raise UserError if its name is taken, or none."""
    path = _file(model, name)
    if path.exists():
        raise UserError(f"--name {name}: {path} exists; give another name, or remove it")
    return path


def _file(model: Model, name: str) -> Path:
    folder = model.path.parent
    folder = folder.parent / FOLDER if folder.name == CHECKPOINTS else folder / f"{model.path.stem}.{FOLDER}"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,60}", name):
        raise UserError(f"'{name}' cannot name a direction: give letters, digits, - and _; it begins with a letter")
    check_folder(folder)  # a link in a run folder of others would lead elsewhere
    return folder / f"{name}{SUFFIX}"


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))
