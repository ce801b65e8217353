"""Export a trained model for other programs: ONNX, the CycleGAN repository's .pth, or gancli's own safetensors."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gancli.capabilities import Changes, DrawsLabels, Samples, Translates
from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.checkpoints.find import Model, find_model
from gancli.checkpoints.importers import back_to_cyclegan
from gancli.checkpoints.importers.convert import to_gan
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.importers.reading.state_dict import read_state_dict
from gancli.checkpoints.load import load_model
from gancli.errors import UserError
from gancli.gan import GAN
from gancli.inference.translation.translate import choose_direction
from gancli.system import atomic
from gancli.system.seeds import aside

OPSET = 18
TRIED = 2  # images on which both are compared
PACKAGES = "onnx onnxruntime onnxscript"  # of the extra `onnx`


@dataclass(frozen=True)
class Exported:
    """A file, and how far its results in [-1, 1] are from this program's; None where nothing is computed."""

    file: Path
    difference: float | None
    opset: int | None


class _Function(nn.Module):
    """A method of a model as a module of its own."""

    def __init__(self, gan: nn.Module, method: Callable[..., Tensor]) -> None:
        super().__init__()
        self.gan, self.method = gan, method

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.method(*inputs)


def export(model: str, out: Path, direction: str | None, *, best: bool = False) -> Exported:
    """Export a model to a file whose suffix says how; raise UserError for others."""
    kinds = {".onnx": _to_onnx, ".safetensors": _to_safetensors, ".pth": _to_cyclegan}
    suffix = out.suffix.lower()
    if suffix not in kinds:
        raise UserError(f"--to {out}: give a file that ends in {', '.join(kinds)}")
    found = find_model(model, best=best)
    gan = load_model(found)
    return kinds[suffix](gan, found, out, direction)


def _to_safetensors(gan: GAN[Any], model: Model, out: Path, direction: str | None) -> Exported:
    if direction is not None:
        raise UserError("--direction: a .safetensors file holds the whole model; leave it out")
    checkpoint.save_served(out, dataclasses.replace(model.about, metrics={}), EMA(gan))
    return Exported(out, None, None)


def _to_cyclegan(gan: GAN[Any], model: Model, out: Path, direction: str | None) -> Exported:
    """Write a generator for the CycleGAN and pix2pix repository, then import what was written and compare."""
    variant = model.about.variant
    if not isinstance(gan, Translates):
        raise UserError(f"{variant} has no network of the CycleGAN repository: give --to FILE.safetensors")
    chosen = choose_direction(direction, gan.directions, gan.spec.domains)
    net = getattr(gan, chosen, getattr(gan, "G", None))
    state = back_to_cyclegan.layout(net) if isinstance(net, nn.Module) else None
    if state is None:
        raise UserError(f"{variant} has no network of the CycleGAN repository: give --to FILE.safetensors")
    with atomic.replacing(out) as temporary:
        torch.save(state, temporary)  # tensors and their names only: any torch reads it with weights_only
        again = to_gan(read_state_dict(temporary), temporary, Asked(model.name)).gan
    assert isinstance(again, Translates)
    with aside("export"), torch.no_grad():
        x = torch.rand(1, gan.spec.channels, gan.spec.height, gan.spec.width) * 2 - 1
        difference = (again.eval().translate(x, "AB") - gan.translate(x, chosen)).abs().max()
    return Exported(out, float(difference), None)


def _to_onnx(gan: GAN[Any], model: Model, out: Path, direction: str | None) -> Exported:
    """Trace the model and write it, then run what was written beside it."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  # which torch needs
    except ImportError as error:
        raise UserError(f"ONNX needs the package {error.name}: pip install {PACKAGES}") from None
    with aside("export"):
        function, names, inputs = _entry(gan, model.about.variant, direction)
    sizes = {0: torch.export.Dim("batch")}
    traced = torch.onnx.export(
        _Function(gan, function).eval(),
        inputs,
        dynamo=True,
        opset_version=OPSET,
        input_names=names,
        output_names=["image"],
        dynamic_shapes=((sizes,) * len(inputs),),
        verbose=False,
    )
    assert traced is not None
    traced.model.metadata_props.update({"gancli.variant": model.about.variant, "gancli.sha256": model.fingerprint})
    with atomic.replacing(out) as temporary:
        traced.save(str(temporary))
        session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        difference = _difference(session, function, dict(zip(names, inputs)))
    return Exported(out, difference, OPSET)


def _difference(session: Any, function: Callable[..., Tensor], inputs: Mapping[str, Tensor]) -> float:
    """Return the largest difference between two programs' results, for another batch than was traced."""
    tried = {name: torch.cat([one[:1]] * (TRIED + 1)) for name, one in inputs.items()}
    with torch.no_grad():
        expected = function(*tried.values())
    (found,) = session.run(None, {name: one.numpy() for name, one in tried.items()})
    return float((torch.from_numpy(found) - expected).abs().max())


def _entry(
    gan: GAN[Any], variant: str, direction: str | None
) -> tuple[Callable[..., Tensor], list[str], tuple[Tensor, ...]]:
    """Return what a model computes, the names of its inputs, and examples of them."""
    height, width = gan.spec.height, gan.spec.width
    if isinstance(gan, Translates):
        chosen = choose_direction(direction, gan.directions, gan.spec.domains)
        image = torch.rand(TRIED, gan.spec.channels, height, width) * 2 - 1
        return lambda x: gan.translate(x, chosen), ["source"], (image,)
    if direction is not None:
        raise UserError(f"--direction: {variant} does not translate images; leave it out")
    if isinstance(gan, Changes):
        image = torch.rand(TRIED, gan.spec.channels, height, width) * 2 - 1
        return gan.change, ["source", "attributes"], (image, torch.ones(TRIED, gan.attributes))
    if isinstance(gan, DrawsLabels):
        return gan.draw, ["labels"], (torch.rand(TRIED, gan.labels + gan.edges, height, width).round(),)
    if isinstance(gan, Samples):
        return gan.generate, ["z"], (gan.prior(TRIED),)
    raise UserError(f"{variant} can be exported as .safetensors only")
