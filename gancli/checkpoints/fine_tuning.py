"""Start training from the weights of another checkpoint.

`--freeze-d`: Mo et al. 2020, "Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs", arXiv:2002.10964.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.find import Model, find_local, find_model
from gancli.checkpoints.load import UNFIT
from gancli.checkpoints.older import biased
from gancli.checkpoints.run_folder import Started
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.hparams import HParams, option_of
from gancli.system.untrusted.door import held_to, printable

LENGTH = "kimg"  # the only hyperparameter that a new run does not take from the checkpoint


@dataclass(frozen=True)
class Start:
    """The checkpoint that a run starts from."""

    said: Started  # what run.json keeps
    model: Model | None  # None: a resumed run, whose own checkpoint holds all
    frozen: int = 0  # layers of D that do not learn

    @property
    def name(self) -> str:
        """The name that the user gave."""
        return printable(self.said.model)


# ------------------------------------------------------------------------------------------------- choosing


def named(name: str, variant: str, frozen: int) -> Start:
    """Find the model of --from; raise UserError if it is of another variant."""
    model = find_model(name)
    theirs = model.about.variant
    if Path(theirs).name != Path(variant).name:  # a user's .py file may have moved
        raise UserError(
            f"--from {name}: it is a checkpoint of {printable(theirs)}: use gancli train {printable(theirs)}"
        )
    return Start(Started(name, str(model.path.resolve()), model.fingerprint), model, frozen)


def again(said: Started, frozen: int) -> Start:
    """Find the model that a run started from, to start it over; raise UserError if it is gone or has changed."""
    try:
        model = find_local(said.path)
    except UserError as error:
        raise UserError(f"the model that this run started from is missing ({error}): train a new run") from None
    if model.fingerprint != said.sha256:
        raise UserError(f"{said.path} has changed since this run started from it: train a new run")
    return Start(said, model, frozen)


def hyperparameters(start: Start, kind: type[GAN[Any]]) -> dict[str, Any]:
    """Return the hyperparameters of the checkpoint, except for the length of training; raise UserError if damaged."""
    hints = get_type_hints(kind.hparams)
    known = {f.name for f in dataclasses.fields(kind.hparams)} - {LENGTH}
    given = start.model.about.hparams if start.model else {}
    found = {name: value for name, value in given.items() if name in known}
    try:
        for name, value in found.items():
            held_to(value, hints[name])
    except ValueError as error:
        raise UserError(f"--from {start.name}: its hyperparameters do not fit: {error}") from None
    return found


# ------------------------------------------------------------------------------------------------- fitting


def check_data(start: Start, spec: DataSpec) -> None:
    """Raise UserError if the data have another shape than the checkpoint's."""
    if start.model is None:
        return
    own = start.model.about.spec
    if (own.channels, own.height, own.width) != (spec.channels, spec.height, spec.width):
        size = f"{own.width}" if own.width == own.height else f"{own.width}x{own.height}"
        raise UserError(
            f"--from {start.name}: it generates {_shape(own)}, but the data are {_shape(spec)}: "
            f"give --size {size} --channels {own.channels}"
        )


def _shape(spec: DataSpec) -> str:
    return f"{spec.width}x{spec.height} with {spec.channels} channel{'s' * (spec.channels > 1)}"


def check_options(start: Start, kind: type[GAN[Any]], hp: HParams, given: Mapping[str, Any]) -> None:
    """Raise UserError if options that the user gave ask for other networks than the checkpoint's."""
    if start.model is None:
        return
    about, theirs = start.model.about, _trained(start.model.path)
    if _fits(kind, hp, about.spec, theirs):
        return
    before = hyperparameters(start, kind)
    wrong = [
        name
        for name, value in given.items()
        if name in before
        and value != before[name]
        and not _fits(kind, dataclasses.replace(hp, **{**before, name: value}), about.spec, theirs)
    ]
    if not wrong:
        raise UserError(
            f"--from {start.name}: this version of gancli builds other networks from its settings: start without it"
        )
    said = "; ".join(f"{option_of(name)} {given[name]}, but its own is {before[name]}" for name in wrong)
    raise UserError(f"--from {start.name}: its networks have another shape: {printable(said)}: leave that out")


def _fits(kind: type[GAN[Any]], hp: HParams, spec: DataSpec, theirs: Mapping[str, Tensor]) -> bool:
    """Tell whether networks take the checkpoint's tensors; those that the checkpoint lacks may be anything."""
    try:
        gan = kind(hp, spec)
    except (UserError, *UNFIT):
        return False
    own = _of_networks(gan, biased(gan, dict(theirs)))
    given = _of_networks(gan, biased(gan, dict(theirs)), given=True)
    return {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in given.items()}


def _of_networks(gan: GAN[Any], theirs: Mapping[str, Tensor], *, given: bool = False) -> dict[str, Tensor]:
    """Return the tensors of the networks that both sides have: the GAN's own, or those given.

    What is in no network is the state of a game, which starts afresh.
    """
    both = _networks(gan) & {name.partition(".")[0] for name in theirs}
    return {k: v for k, v in (theirs if given else gan.state_dict()).items() if k.partition(".")[0] in both}


def _networks(gan: GAN[Any]) -> set[str]:
    return {name for name, network in gan.named_children() if next(network.parameters(), None) is not None}


# ------------------------------------------------------------------------------------------------- starting


def notes(start: Start, gan: GAN[Any]) -> list[str]:
    """Return what the user should know: networks that start afresh, and labels that mean something else."""
    if start.model is None:
        return []
    said, path = [], start.model.path
    held = {name.partition(".")[0] for name in checkpoint.names(path, "gan") or checkpoint.names(path, "ema")}
    if new := sorted(_networks(gan) - held):
        said.append(f"the checkpoint holds no {', '.join(new)}, which starts with random weights")
    if start.model.about.spec.classes != gan.spec.classes:
        said.append("its classes differ: layers that see labels start with the weights of the class at the same place")
    return said


@torch.no_grad()
def begin(start: Start, gan: GAN[Any]) -> None:
    """Give networks the weights of the checkpoint; those that it lacks keep their own."""
    if start.model is not None:
        _put(start, gan, biased(gan, _trained(start.model.path)))


@torch.no_grad()
def begin_average(start: Start, ema: EMA) -> None:
    """Give the averaged networks those of the checkpoint."""
    if start.model is not None:
        _put(start, ema.gan, biased(ema.gan, checkpoint.part(start.model.path, "ema")))


def _trained(path: Path) -> dict[str, Tensor]:
    """Read the trained weights, or the averaged ones if the file holds no others."""
    return checkpoint.part(path, "gan") or checkpoint.part(path, "ema")


def _put(start: Start, gan: GAN[Any], theirs: Mapping[str, Tensor]) -> None:
    given = _of_networks(gan, theirs, given=True)
    for name, tensor in _of_networks(gan, theirs).items():
        if name not in given or not _overlaps(tensor, given[name]):
            raise UserError(
                f"--from {start.name}: {_labels_differ(start, gan) or f'{name} does not match its own description'}"
            )
        if not given[name].isfinite().all():
            raise UserError(f"--from {start.name}: {name} holds values that are not finite")
        _copy(tensor, given[name])


def _labels_differ(start: Start, gan: GAN[Any]) -> str:
    """Say that only one side has labels, whose networks have other layers; "" if both or none have."""
    before, now = bool(start.model and start.model.about.spec.classes), bool(gan.spec.classes)
    if before == now:
        return ""
    if now:
        return "it was trained without labels, and the data have some: give --no-labels"
    return "it was trained with labels, and the data have none: give images in one folder per class"


def _overlaps(own: Tensor, given: Tensor) -> bool:
    return own.dtype == given.dtype and own.dim() == given.dim()


def _copy(own: Tensor, given: Tensor) -> None:
    """Copy what fits: layers that see labels have other sizes for other classes, and keep the rest."""
    common = tuple(slice(min(sides)) for sides in zip(own.shape, given.shape))
    own[common].copy_(given[common])


# ------------------------------------------------------------------------------------------------- freezing


def freeze(start: Start, gan: GAN[Any], players: Mapping[str, Optimizer]) -> None:
    """Keep the first layers of D, those nearest to the image, as they are: take them from their optimiser."""
    if not start.frozen:
        return
    D = getattr(gan, "D", None)
    if not isinstance(D, nn.Module):
        raise UserError("--freeze-d: this variant has no discriminator D; leave it out")
    layers = _layers(D)
    if start.frozen >= len(layers):
        raise UserError(f"--freeze-d {start.frozen}: D has {len(layers)} layers: give at most {len(layers) - 1}")
    frozen = {weight for layer in layers[: start.frozen] for weight in layer}
    for weight in frozen:
        weight.requires_grad_(False)
    for player in players.values():
        for group in player.param_groups:
            group["params"] = [weight for weight in group["params"] if weight not in frozen]


def _layers(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of each layer that has a weight matrix, in order; norms belong to the layer before."""
    modules: dict[str, list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        owner = name.rpartition(".")[0].partition(".parametrizations.")[0]  # those of a spectral norm are the layer's
        modules.setdefault(owner, []).append(weight)
    layers: list[list[nn.Parameter]] = []
    for weights in modules.values():
        if layers and not (_has_matrix(weights) and _has_matrix(layers[-1])):
            layers[-1] += weights
        else:
            layers.append(weights)
    return layers


def _has_matrix(weights: list[nn.Parameter]) -> bool:
    return any(weight.dim() > 1 for weight in weights)
