"""Every D can tell an image from the same image with half the contrast: some layer has a bias wherever no norm follows.

Without any, D(x / 2) = D(x) / 2; with none before the first norm, D(x / 2) = D(x).
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli import registry
from gancli.checkpoints import checkpoint
from gancli.checkpoints.ema import EMA
from gancli.engine.step import play_step
from gancli.gan import GAN, Clock
from gancli.nets.layers.norms import LayerNorm2d
from tests.variants.small import feed, make


def judges(gan: GAN[Any]) -> dict[str, nn.Module]:
    named = {name: network for name, network in gan.named_children() if name.startswith("D")}
    return {
        f"{name}.{part}": own
        for name, network in named.items()
        for part, own in (network.items() if isinstance(network, nn.ModuleDict) else [("", network)])
    }


def flat(out: Any) -> Tensor:
    parts = [out] if isinstance(out, Tensor) else list(out)
    return torch.cat([flat(part).flatten() if not isinstance(part, Tensor) else part.flatten() for part in parts])


@torch.no_grad()
def blind(network: nn.Module, given: tuple[Tensor, ...]) -> bool:
    """Tell whether outputs stay, or halve, with the inputs, for whatever weights training may find."""
    torch.manual_seed(0)
    for weight in network.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    whole, half = (flat(network(*(x * by for x in given))) for by in (1.0, 0.5))
    most = 1e-3 * float(whole.abs().max())
    return any(torch.allclose(half, other, rtol=1e-3, atol=most) for other in (whole, whole / 2))


@pytest.mark.parametrize("name", [n for n in registry.names() if judges(make(n))])
def test_every_discriminator_sees_contrast(name: str) -> None:
    gan = make(name)
    seen: dict[str, tuple[Any, ...]] = {}

    def watch(who: str) -> Any:
        return lambda _module, given: seen.setdefault(who, tuple(x.detach().clone() for x in given)) and None

    hooks = [network.register_forward_pre_hook(watch(who)) for who, network in judges(gan).items()]
    play_step(gan, gan.players(), [feed(gan).at(0)], Clock(0, 0, 1000))
    for hook in hooks:
        hook.remove()
    assert seen.keys() == judges(gan).keys()
    for who, given in seen.items():
        assert not blind(judges(gan)[who], given), who


@pytest.mark.parametrize("norm", [nn.Identity, LayerNorm2d, nn.BatchNorm2d])
def test_the_check_finds_a_discriminator_that_is_blind(norm: Any) -> None:
    head = nn.Conv2d(8, 1, 8, bias=norm is not nn.Identity)
    layers = [nn.Conv2d(3, 8, 4, 2, 1, bias=False), norm(8), nn.LeakyReLU(0.2), head]
    assert blind(nn.Sequential(*layers), (torch.randn(4, 3, 16, 16),))
    layers[0] = nn.Conv2d(3, 8, 4, 2, 1)
    if norm is nn.Identity:
        assert not blind(nn.Sequential(*layers), (torch.randn(4, 3, 16, 16),))


def test_a_checkpoint_of_before_the_biases_goes_on_with_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = make("sngan")
    players, ema = gan.players(), EMA(gan)
    about = checkpoint.About(
        variant="sngan",
        hparams=vars(gan.hp),
        data=vars(gan.spec),
        clock={"step": 0, "images": 0, "total": 9},
        run={},
        metrics={},
    )
    whole = type(gan).state_dict
    with monkeypatch.context() as old:
        old.setattr(
            type(gan), "state_dict", lambda self: {k: v for k, v in whole(self).items() if not k.endswith("bias")}
        )
        checkpoint.save(tmp_path / "old.safetensors", about, gan, players, ema)
    with torch.no_grad():
        for name, weight in gan.named_parameters():
            weight.fill_(1 if name.endswith("bias") else 0)
    checkpoint.restore(tmp_path / "old.safetensors", gan, players, ema)
    for name, weight in gan.named_parameters():
        assert weight.any() != name.endswith("bias"), name
