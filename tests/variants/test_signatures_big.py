"""What is special about sngan-proj, sagan, biggan and biggan-deep, without training."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.data.kinds.labelled import PartlyLabelled
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.gan import Clock
from gancli.nets.high_fidelity.resnet_gan import Attended
from gancli.nets.layers import spectral
from gancli.nets.layers.conditional_norm import ConditionalBatchNorm2d
from gancli.ops import losses, penalties
from gancli.system.seeds import seed_all
from tests.variants.small import feed, make

ALL = ("sngan-proj", "sagan", "biggan", "biggan-deep")
BIG = ("biggan", "biggan-deep")


def normed(network: nn.Module) -> set[str]:
    return set(spectral.largest(network))


def linear(network: nn.Module) -> set[str]:
    """The layers that could be under spectral norm."""
    return {name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)}


# ------------------------------------------------------------------------------------------------ projection


@pytest.mark.parametrize("name", ALL)
def test_what_is_under_spectral_norm(name: str) -> None:
    gan: Any = make(name)
    assert normed(gan.D) == linear(gan.D)
    assert "embed" in normed(gan.D)
    inside = {
        layer for part, module in gan.G.named_modules() if isinstance(module, ConditionalBatchNorm2d)
        for layer in linear(gan.G) if layer.startswith(f"{part}.")
    }  # fmt: skip
    left_out = {"sngan-proj": linear(gan.G), "sagan": inside}.get(name, {"codes.embed"})
    assert left_out
    assert linear(gan.G) - normed(gan.G) == left_out


def steepest(network: nn.Module) -> float:
    """Return the largest singular value of any normalised weight."""
    layers: list[Any] = [network.get_submodule(name) for name in normed(network)]
    return max(float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) for layer in layers)


@pytest.mark.parametrize("player", ["G", "D"])
def test_the_spectral_norms_of_the_network_that_moved_follow_it(player: str) -> None:
    gan: Any = make("sagan")
    mine, other = (gan.get_submodule(name) for name in (player, "D" if player == "G" else "G"))
    with torch.no_grad():
        for weight in gan.parameters():
            weight.copy_(torch.randn_like(weight))
    for _ in range(60):
        gan.moved(player, {})
    assert steepest(mine) == pytest.approx(1, abs=0.02)
    assert steepest(other) > 2


@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_the_label_enters_d_as_a_product_with_its_features(name: str) -> None:
    gan: Any = make(name)
    x, y = torch.randn(2, 3, 16, 16), torch.eye(3)
    blind = gan.D(x, torch.zeros(2, 3))
    torch.testing.assert_close(blind, gan.D.head(gan.D.features(x))[:, 0])
    for k in range(3):
        product = (gan.D.embed.weight[:, k] * gan.D.features(x)).sum(1)
        torch.testing.assert_close(gan.D(x, y[[k, k]]) - blind, product, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_without_labels_there_is_no_path_for_them(name: str) -> None:
    with_labels: Any = make(name)
    gan: Any = make(name, labels=False)
    assert gan.prior(2).shape == (2, 6)
    assert with_labels.prior(2).shape == (2, 6 + 3)
    assert gan.D.embed is None
    assert not linear(gan.G.codes)
    assert gan.fakes(feed(gan).at(0)).shape == (8, 3, 16, 16)
    assert gan.label_of(gan.prior(2)).tolist() == [0, 0]


@torch.no_grad()
def test_sngan_starts_with_norms_that_know_no_class() -> None:
    gan: Any = make("sngan-proj")
    z = gan.noise(2)
    one, other = (gan.generate(gan.of_class(z, torch.tensor([k, k]))) for k in (0, 2))
    assert torch.equal(one, other)


def test_attention_is_at_half_of_a_small_image_and_at_32_of_a_large_one() -> None:
    def sides(size: int) -> list[int]:
        gan: Any = make("sagan", DataSpec(3, size, size), width=1)
        found: list[int] = []
        for block in gan.G.blocks:
            if isinstance(block, Attended):
                block.register_forward_hook(lambda _m, _i, y: found.append(y.shape[3]))
        attention = [layer for layer in gan.D.trunk if hasattr(layer, "gamma")]
        assert len(attention) == 1
        attention[0].register_forward_hook(lambda _m, _i, y: found.append(y.shape[3]))
        z = gan.prior(1)
        gan.rate(gan.generate(z), z)
        return found

    assert sides(16) == [8, 8]
    assert sides(128) == [32, 32]


# ------------------------------------------------------------------------------------------------- biggan's z


def block_outputs(gan: Any, z: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    hooks = [block.register_forward_hook(lambda _m, _i, y: found.append(y)) for block in gan.G.blocks]
    with torch.no_grad():
        gan.generate(z)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_a_chunk_of_z_changes_nothing_before_its_block(chunk: int) -> None:
    gan: Any = make("biggan")
    parts = gan.G.codes.parts
    assert parts == [2, 2, 2]
    gan.eval()
    z = gan.prior(3)
    other = z.clone()
    other[:, 2 * chunk : 2 * chunk + 2] += 1
    same = [torch.equal(a, b) for a, b in zip(block_outputs(gan, z), block_outputs(gan, other))]
    assert same == [i < chunk - 1 for i in range(2)]


def test_deep_gives_all_of_z_to_every_block() -> None:
    gan: Any = make("biggan-deep").eval()
    first, *codes = gan.G.codes(gan.prior(2))
    assert len(codes) == 4  # two a resolution
    assert all(torch.equal(first, code) for code in codes)
    assert first.shape == (2, 6 + gan.hp.embedding)


@pytest.mark.parametrize("name", BIG)
def test_one_embedding_serves_all_layers(name: str) -> None:
    gan: Any = make(name)
    shapes = [tuple(weight.shape) for key, weight in gan.G.named_parameters() if 3 in weight.shape[1:2]]
    assert shapes == [(gan.hp.embedding, 3)]


# --------------------------------------------------------------------------------- orthogonal regularisation


@given(st.integers(1, 6), st.integers(6, 9), st.lists(st.floats(0.1, 9), min_size=6, max_size=6))
def test_the_penalty_is_zero_for_any_diagonal(rows: int, columns: int, lengths: list[float]) -> None:
    weight = nn.init.orthogonal_(torch.empty(rows, columns)) * torch.tensor(lengths[:rows])[:, None]
    assert float(penalties.orthogonality([weight])) == pytest.approx(0, abs=1e-6 * float(weight.square().sum() ** 2))


def test_its_gradient_leaves_the_diagonal_alone() -> None:
    weight = torch.randn(4, 5, dtype=torch.float32, requires_grad=True)
    products = (weight @ weight.T).detach()
    expected = 4 * (products * (1 - torch.eye(4))) @ weight.detach()
    found = torch.autograd.grad(penalties.orthogonality([weight]), weight)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", BIG)
def test_the_embedding_is_not_regularised_and_all_other_weights_of_g_are(name: str) -> None:
    gan: Any = make(name)
    names = {id(weight): key for key, weight in gan.G.named_parameters()}
    found = {names[id(weight)] for weight in gan.regularised()}
    assert {key for key, weight in gan.G.named_parameters() if weight.dim() > 1} - found == {"codes.embed.weight"}


# ----------------------------------------------------------------------------------------- singular values, S3GAN


@pytest.mark.parametrize("name", ["biggan", "sngan-proj"])
def test_the_largest_singular_value_of_each_normed_layer_is_logged(name: str) -> None:
    gan: Any = make(name, log_singular_values=True, n_critic=1)
    for network in (gan.G, gan.D):
        for _ in range(100):
            spectral.power_step(network)
    with torch.autocast("cpu", torch.bfloat16):
        turns = list(gan.play(feed(gan).at(0), Clock(0, 0, 1)))
    for turn, network in zip(turns, (gan.D, gan.G)):
        assert turn.stats.keys() == {f"sigma {layer}" for layer in normed(network)}
        for layer in normed(network):
            weight = network.get_submodule(layer).parametrizations.weight.original.detach().flatten(1)
            assert float(turn.stats[f"sigma {layer}"]) == pytest.approx(
                float(torch.linalg.matrix_norm(weight, 2)), rel=1e-2
            )
    assert not next(make(name).play(feed(gan).at(0), Clock(0, 0, 1))).stats


def test_d_is_asked_how_each_image_was_rotated() -> None:
    """With a D that compares an image with all four ways to turn it, the loss is 0."""
    gan: Any = make("biggan", rotation=2.0)
    image = torch.randn(32, 3, 8, 8)
    ways = torch.stack([image.rot90(k, (2, 3)) for k in range(4)], 1)
    seen: list[Tensor] = []
    del gan.D

    def features(x: Tensor) -> Tensor:
        seen.append(x)
        return (x[:, None] == ways).flatten(2).all(2).float()

    gan.D = SimpleNamespace(features=features, turned=lambda features: 100 * features)
    assert float(gan.rotation_error(image)) == 0
    turned = (seen[0][:, None] == ways).flatten(2).all(2).float()
    assert turned.sum(0).min() >= 3
    gan.D.turned = lambda features: 0 * features
    assert float(gan.rotation_error(image)) == pytest.approx(2 * math.log(4))


def test_rotation_needs_square_images() -> None:
    with pytest.raises(UserError, match="--rotation needs square images, not 24x16"):
        make("sagan", DataSpec(3, 16, 24), rotation=1.0)


def test_hidden_labels_are_guessed_by_d() -> None:
    """Real images count as what D takes them for; examples, and they alone, teach it to name them."""
    gan: Any = make("biggan", labels_per_class=2)
    batch = PartlyLabelled(torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 1, 0]))
    gan.D.named.bias.data[2] = 1e3  # all images look like class 2
    seed_all("turn")
    turn = next(gan.play(batch, Clock(0, 0, 1)))
    with torch.no_grad():
        seed_all("turn")
        fake = gan.fakes(batch)
        real = gan.D(batch.image, gan.one_hot(torch.full((4,), 2)))
        expected = losses.HINGE.d(real, gan.D(fake, gan.one_hot(batch.label)))
        named = F.cross_entropy(gan.D.named(gan.D.features(batch.example)), batch.label)
    torch.testing.assert_close(turn.terms["adversarial"].detach(), expected)
    torch.testing.assert_close(turn.terms["class"].detach(), named)
    all_labels: Any = make("biggan")
    assert all_labels.D.named is None
