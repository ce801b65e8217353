"""StyleGAN2's networks against the authors' outputs: files in the layouts of NVlabs and rosinality, random weights.

Tensors are copied by name; of rosinality's, the names are translated.
"""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from gancli.checkpoints.importers.reading import modules
from gancli.data.spec import DataSpec
from gancli.nets.high_fidelity.stylegan2 import Generator
from tests.parity import fixture

NVLABS = ["sg2ada-uncond32.pkl", "sg2ada-uncond32-p4.pkl", "sg2ada-cond16.pkl"]
ROSINALITY = ["rosinality-sg2-64.pt", "rosinality-sg2-32-converted.pt"]
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


def nvlabs(file: str) -> dict[str, Tensor]:
    return modules.tensors(fixture(file).weights()["G_ema"])


def rosinality(file: str, blocks: int) -> dict[str, Tensor]:
    held = fixture(file).weights()
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


@pytest.mark.parametrize("file", [*NVLABS, *ROSINALITY])
def test_the_authors_tensors_give_the_authors_images(file: str) -> None:
    given = fixture(file)
    latent = torch.cat([given.tensor(name) for name in ("in_z", "in_c") if name in given.arrays], 1)
    size = given.arrays["out_psi1_const"].shape[-1]
    G = fitted(nvlabs(file) if file in NVLABS else rosinality(file, size.bit_length() - 2))
    if "in_mean_latent" in given.arrays:
        G.mapping.w_avg.copy_(given.tensor("in_mean_latent")[0])
    assert given.gives("out_w", G.mapping(latent))
    ways = {"out_psi1_const": (1.0, None), "out_psi0.7_const": (0.7, None), "out_psi0.5_cutoff3_const": (0.5, 3)}
    checked = [key for key in given.arrays if key in ways]
    assert len(checked) == (3 if file in NVLABS else 2)
    for key in checked:
        assert given.gives(key, G.synthesis(truncated(G, latent, *ways[key])))
    assert given.gives("out_psi1_none", without_noise(G)(latent))
