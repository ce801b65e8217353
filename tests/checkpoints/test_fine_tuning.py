"""A GAN that starts from another's weights: what begins anew, and which layers are frozen."""

from typing import Any

import pytest
import torch

from gancli.checkpoints import fine_tuning
from gancli.checkpoints.fine_tuning import Start
from gancli.checkpoints.run_folder import Started
from gancli.engine.finite import finite
from gancli.engine.step import parameters
from tests.variants.small import make


def start_of(frozen: int) -> Start:
    return Start(Started("x", "x", "0" * 16), None, frozen)


def test_the_state_of_a_game_begins_anew_and_that_of_networks_does_not() -> None:
    """A buffer that belongs to no network is a controller's, such as the probability of an augmentation."""
    gan: Any = make("dcgan")
    theirs: Any = make("dcgan")
    for one in (gan, theirs):
        one.register_buffer("p", torch.zeros(()))
        one.G.register_buffer("mean", torch.zeros(3))
    given = {name: tensor + 1 for name, tensor in theirs.state_dict().items()}
    fine_tuning._put(start_of(0), gan, given)
    assert gan.p == 0
    assert (gan.G.mean == 1).all()


@pytest.mark.parametrize("name", ["dcgan", "sngan", "wgan-gp", "gan", "improved", "acgan"])
def test_the_layers_next_to_the_image_are_frozen(name: str) -> None:
    """With their norms and biases; spectral norms keep their weight in a module of their own."""
    gan: Any = make(name)
    players = gan.players()
    layers = fine_tuning._layers(gan.D)
    assert [w for layer in layers for w in layer] == list(gan.D.parameters()) or name == "sngan"
    assert all(any(w.dim() > 1 for w in layer) for layer in layers)
    fine_tuning.freeze(start_of(1), gan, players)
    trained = {id(p) for p in parameters(players["D"])}
    first = {id(p) for p in layers[0]}
    assert not trained & first
    assert trained == {id(p) for p in gan.D.parameters()} - first
    assert next(iter(layers[0])).requires_grad is False
    assert finite(gan.parameters())
