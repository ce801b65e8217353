"""StyleGAN2's networks against the authors' outputs: files in the layouts of NVlabs and rosinality, random weights.

Tensors are copied by name; of rosinality's, the names are translated. Expected outputs are of the authors' own code in
float32 on a CPU, which is within 1.4e-5 of itself in float64; the limit is 1e-4 of the largest value.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.stylegan2 import Generator
from gancli.system.untrusted import torch_files

PARITY = Path(__file__).parents[1] / "fixtures" / "parity"
NVLABS = ["sg2ada-uncond32", "sg2ada-uncond32-p4", "sg2ada-cond16"]
ROSINALITY = ["rosinality-sg2-64", "rosinality-sg2-32-converted"]
LAYER = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
    "conv.blur.kernel": "resample_filter",
    "upsample.kernel": "resample_filter",
}


def tensors(module: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Walk a module that was pickled by NVlabs' persistence, with the names that its state dict would have."""
    state = module.args[0]["state"] if module.args and isinstance(module.args[0], dict) else module.fields()
    for name, value in {**state["_parameters"], **state["_buffers"]}.items():
        if value is not None:
            yield path + name, value
    for name, child in state["_modules"].items():
        yield from tensors(child, f"{path}{name}.")


def nvlabs(name: str) -> dict[str, Tensor]:
    return dict(tensors(torch_files.load(PARITY / f"{name}.pkl")["G_ema"]))


def rosinality(name: str, blocks: int) -> dict[str, Tensor]:
    held = torch_files.load(PARITY / f"{name}.pt")
    state = {ours: held["g_ema"][theirs] for theirs, ours in renamed(held["g_ema"], blocks).items()}
    if "latent_avg" in held:
        state["mapping.w_avg"] = held["latent_avg"]
    for key in [key for key in state if key.endswith("resample_filter")]:
        state[key] = state[key] / 4  # theirs has the gain of up-sampling
    return state


def renamed(names: Mapping[str, Tensor], blocks: int) -> dict[str, str]:
    """Translate rosinality's names to NVlabs'."""
    found = {}
    for name in names:
        top, _, rest = name.partition(".")
        number, _, inner = rest.partition(".")
        if top == "style":
            found[name] = f"mapping.fc{int(number) - 1}.{inner}"
        elif top == "input":
            found[name] = "synthesis.b4.const"
        elif top in ("conv1", "to_rgb1"):
            found[name] = f"synthesis.b4.{'conv1' if top == 'conv1' else 'torgb'}.{LAYER[rest]}"
        elif top == "convs":
            found[name] = f"synthesis.b{8 << int(number) // 2}.conv{int(number) % 2}.{LAYER[inner]}"
        elif top == "to_rgbs" and inner == "upsample.kernel":
            found[name] = f"synthesis.b{8 << int(number)}.{LAYER[inner]}"
        elif top == "to_rgbs":
            found[name] = f"synthesis.b{8 << int(number)}.torgb.{LAYER[inner]}"
        else:
            which = int(rest.removeprefix("noise_"))
            found[name] = f"synthesis.b{4 << (which + 1) // 2}.conv{0 if which % 2 else 1}.noise_const"
    assert blocks == 1 + sum(name.startswith("to_rgbs") and name.endswith("conv.weight") for name in names)
    return found


def fitted(state: dict[str, Tensor]) -> Generator:
    """Build the generator that tensors tell of, and copy them into it; only filters that nothing uses are left."""
    names = [name for name in state if name.endswith("torgb.weight")]
    resolutions = sorted(int(name.split(".")[1][1:]) for name in names)
    channels = [state[f"synthesis.b{r}.torgb.weight"].shape[-3] for r in resolutions]
    size, colours = resolutions[-1], state[names[0]].shape[-4]
    layers = sum(name.startswith("mapping.fc") and name.endswith("weight") for name in state)
    w_dim, inputs = state["mapping.fc0.weight"].shape
    classes = state["mapping.embed.weight"].shape[1] if "mapping.embed.weight" in state else 0
    spec = DataSpec(colours, size, size, tuple(map(str, range(classes))))
    G = Generator(inputs - (w_dim if classes else 0), w_dim, layers, channels, spec)
    own = G.state_dict()
    assert all(name.endswith("resample_filter") for name in state.keys() - own.keys())
    missing = {"mapping.w_avg"} if "mapping.w_avg" not in state else set()
    assert {name for name in own.keys() - state.keys() if not name.endswith("resample_filter")} == missing
    for name, value in own.items():
        if name in state and name == "mapping.w_avg":
            value.copy_(state[name])  # one mean for all classes
        elif name in state:
            value.copy_(state[name].view(value.shape))
    return G.eval().requires_grad_(False)


def truncated(G: Generator, latent: Tensor, psi: float, layers: int | None = None) -> Tensor:
    w = G.mapping(latent)[:, None].repeat(1, G.style_layers, 1)
    w[:, :layers] = torch.lerp(G.mapping.mean(latent)[:, None].expand_as(w), w, psi)[:, :layers]
    return w


def without_noise(G: Generator) -> Generator:
    for name, parameter in G.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    return G


def assert_close(found: Tensor, expected: Tensor) -> None:
    limit = 1e-4 * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found[: len(expected)], expected, rtol=0, atol=limit)


@pytest.mark.parametrize("name", [*NVLABS, *ROSINALITY])
def test_the_authors_tensors_give_the_authors_images(name: str) -> None:
    with np.load(PARITY / f"{name}.npz") as file:
        held = {key: torch.from_numpy(file[key]) for key in file.files}
    latent = torch.cat([held["in_z"], held["in_c"]], 1) if "in_c" in held else held["in_z"]
    size = held["out_psi1_const"].shape[-1]
    G = fitted(nvlabs(name) if name in NVLABS else rosinality(name, size.bit_length() - 2))
    if "in_mean_latent" in held:
        G.mapping.w_avg.copy_(held["in_mean_latent"][0])
    assert_close(G.mapping(latent), held["out_w"])
    ways = {"out_psi1_const": (1.0, None), "out_psi0.7_const": (0.7, None), "out_psi0.5_cutoff3_const": (0.5, 3)}
    checked = [key for key in held if key in ways]
    assert len(checked) == (3 if name in NVLABS else 2)
    for key in checked:
        assert_close(G.synthesis(truncated(G, latent, *ways[key])), held[key])
    assert_close(without_noise(G)(latent), held["out_psi1_none"])
