"""Dissection finds the units that draw a concept, and shows that they do: on a generator in which they are planted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gancli.data.spec import DataSpec
from gancli.data.synthetic.shapes import COLOURS, EASY, SHAPES, coverage, factors
from gancli.evaluation.dissection import concepts as known
from gancli.evaluation.dissection.concepts import Concepts
from gancli.evaluation.dissection.effects import Effect, Units, ablate, effect_of, inserting, others, patches
from gancli.evaluation.dissection.layers import FeatureMaps, choose, feature_maps, generated
from gancli.evaluation.dissection.masks import open_masks
from gancli.evaluation.dissection.survey import Survey, on_grid, survey
from gancli.evaluation.known_truth import shape_masks
from gancli.metrics.dissection import Match, matches
from tests.variants.small import make

NAMES = tuple(COLOURS)
NOISE = 4  # units that the image does not depend on
COUNT = 60


class Maps(nn.Module):
    """Unit c is where the object of colour c is, for the colours of the built-in shapes; others are noise."""

    def forward(self, z: Tensor) -> Tensor:
        f = factors(EASY, 7, z[:, 0].long().numpy())
        there = torch.from_numpy(coverage(f, 32))
        of_colour = torch.from_numpy(f["colour"])[:, None] == torch.arange(len(NAMES))
        noise = torch.rand(len(z), NOISE, 32, 32, generator=torch.Generator().manual_seed(0))
        return torch.cat([of_colour[:, :, None, None] * there[:, None], noise], 1)


class Planted(nn.Module):
    """Draws flat shapes: the image is the sum of its colours' maps."""

    spec, device = DataSpec(3, 32, 32), torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.maps = Maps()

    def prior(self, n: int) -> Tensor:
        return torch.randint(10**6, (n, 1)).float()

    def generate(self, z: Tensor) -> Tensor:
        palette = torch.tensor(list(COLOURS.values())).float() / 255
        x = torch.einsum("nchw,cr->nrhw", self.maps(z)[:, : len(NAMES)], palette)
        return x.clamp(0, 1) * 2 - 1


def seen_by(gan: Any, concepts: Concepts, count: int = COUNT) -> tuple[Survey, FeatureMaps]:
    layers = feature_maps(gan, gan.prior(3))
    z = torch.arange(count).float()[:, None]
    return survey(gan, layers, concepts, z, range(count), lambda *_: None), layers[0]


def matched(seen: Survey, members: Tensor) -> Match:
    tally = seen.tallies[0]
    assert tally.bounds is not None
    return matches(tally.counts, tally.bounds, members)


@pytest.fixture(scope="module")
def oracle() -> Concepts:
    return known.of_shapes("shapes-easy", (32, 32))


@pytest.fixture(scope="module")
def seen(oracle: Concepts) -> Survey:
    return seen_by(Planted(), oracle)[0]


def effect(seen: Survey, oracle: Concepts, concept: str, chosen: list[int]) -> Effect:
    tally = seen.tallies[0]
    mean = tally.means(oracle.members)[:, oracle.names.index(concept)]
    return effect_of(Planted(), seen, oracle, concept, Units(tally.layer, torch.tensor(chosen), mean))  # type: ignore[arg-type]


def test_planted_units_are_found(seen: Survey, oracle: Concepts) -> None:
    assert len(seen.known) > 0.9 * COUNT
    found = matched(seen, oracle.members)
    for unit, colour in enumerate(NAMES):
        c = oracle.names.index(colour)
        assert int(found.iou[:, c].argmax()) == unit, colour
        assert found.iou[unit, c] > 0.8, colour  # the edges are a fifth of an object
        assert found.iqr[unit, c] > 0.6, colour
    assert found.iou[: len(NAMES)].amax(1).median() > 0.95
    shapes = [oracle.names.index(name) for name in SHAPES]
    assert found.iou[-NOISE:].max() < 0.3
    assert found.iou[:, shapes].max() < 0.6  # a colour says little of a shape


def test_ablation_removes_a_planted_concept_and_other_units_do_not(seen: Survey, oracle: Concepts) -> None:
    found = effect(seen, oracle, "red", [NAMES.index("red")])
    assert found.ablation["before"] > 0.1
    assert found.ablation["after"] == 0
    assert found.ablation["control"] == pytest.approx(found.ablation["before"], abs=1e-6)
    wrong = effect(seen, oracle, "red", [NAMES.index("blue")])
    assert wrong.ablation["after"] == pytest.approx(wrong.ablation["before"], abs=1e-6)


def test_insertion_adds_a_planted_concept(seen: Survey, oracle: Concepts) -> None:
    """A patch is a quarter of the image; random units add a little red only where they mix with another colour."""
    found = effect(seen, oracle, "red", [NAMES.index("red")])
    assert found.insertion["before"] == 0
    assert found.insertion["after"] > 0.1
    assert found.insertion["control"] < found.insertion["after"] / 4


def test_the_means_are_conditioned_on_the_concept(seen: Survey, oracle: Concepts) -> None:
    red = seen.tallies[0].means(oracle.members)[:, oracle.names.index("red")]
    assert red[NAMES.index("red")] > 0.9
    assert red[NAMES.index("blue")] == 0
    torch.testing.assert_close(red[-NOISE:].float(), torch.full((NOISE,), 0.5), atol=0.1, rtol=0)


def test_images_that_are_not_valid_do_not_count(oracle: Concepts) -> None:
    noise = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
    black = torch.zeros(1, 3, 32, 32).byte()
    assert (oracle.read((0, 1), noise) == -1).all()
    assert oracle.area is not None
    for concept in ("foreground", "red", "star"):
        assert float(oracle.area(concept, black)) == 0
    assert float(oracle.area("foreground", noise).mean()) > 0.5


# ---------------------------------------------------------------------------------------------- masks


def save_masks(folder: Path, labels: Tensor, names: str | None) -> Path:
    folder.mkdir()
    for seed, label in enumerate(labels):
        Image.fromarray(label.numpy().astype(np.uint8)).save(folder / f"seed{seed:05d}.png")
    if names is not None:
        (folder / "names.txt").write_text(names)
    return folder


def test_the_oracles_own_masks_give_the_same_matches(seen: Survey, oracle: Concepts, tmp_path: Path) -> None:
    """As label maps of colours: value 0 is the ground, and the colours are values 1 to 8."""
    count = 24
    read = seen.label[:count].clamp(min=0)
    colour = torch.where(read > 0, (read - 1) % len(NAMES) + 1, 0)
    folder = save_masks(tmp_path / "masks", colour, "\n".join(["", *NAMES]))
    masks = known.of_masks(open_masks(folder), (32, 32))
    assert masks.names == NAMES
    ours = seen_by(Planted(), masks, count)[0]
    told = Concepts("", oracle.names, oracle.members, lambda seeds, _: seen.label[list(seeds)].clamp(min=0), None)
    theirs = seen_by(Planted(), told, count)[0]
    columns = [oracle.names.index(name) for name in NAMES]
    for a, b in zip(matched(ours, masks.members), matched(theirs, oracle.members[:, columns])):
        torch.testing.assert_close(a, b)
    assert torch.equal(ours.label > 0, theirs.label > 0)


def test_values_without_names_are_their_own(tmp_path: Path) -> None:
    masks = open_masks(save_masks(tmp_path / "masks", torch.zeros(1, 4, 4), None))
    assert list(masks.names) == list(range(1, 256))
    named = open_masks(save_masks(tmp_path / "named", torch.zeros(1, 4, 4), "sky\n\ntree\n"))
    assert named.names == {0: "sky", 2: "tree"}


# ---------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("variant", ["dcgan", "cgan", "biggan", "stylegan2", "r3gan", "infogan"])
def test_middle_layers_change_the_image_of_any_model(variant: str) -> None:
    gan = make(variant).eval()
    with torch.no_grad():
        z = gan.prior(3)  # type: ignore[operator]
        layers = feature_maps(gan, z)
        (layer, *_) = choose(layers, "auto", variant, 16)
        assert layer.height == 8, [found.name for found in layers]
        assert choose(layers, layer.name, variant, 16) == [layer]
        before = generated(gan, z)
        assert torch.equal(generated(gan, z, layer, lambda maps: maps * 1), before)
        assert not torch.equal(generated(gan, z, layer, lambda maps: maps * 0), before)
    assert not [hook for part in gan.modules() for hook in part._forward_hooks]


@pytest.mark.parametrize("variant", ["dcgan", "progan", "sngan-proj", "sagan", "r3gan", "stylegan3"])
def test_middle_layers_hold_all_that_an_image_depends_on(variant: str) -> None:
    gan = make(variant).eval()
    with torch.no_grad():
        z = gan.prior(3)  # type: ignore[operator]
        (layer, *_) = choose(feature_maps(gan, z), "auto", variant, 16)
        without = generated(gan, z, layer, lambda maps: maps * 0)
    assert torch.equal(without, without[:1].expand_as(without)), layer.name


def test_others_are_as_many_and_never_the_same() -> None:
    which = torch.zeros(30, 7, dtype=torch.bool)
    which[:, [1, 4]] = True
    found = others(which)
    assert (found.sum(1) == 2).all()
    assert not (found & which).any()
    assert found.any(0).sum() == 5  # any other unit at some time
    assert others(torch.ones(2, 3, dtype=torch.bool)).sum() == 0


def test_a_patch_is_half_as_high_and_wide_and_only_it_is_changed() -> None:
    where = patches(20, FeatureMaps("", 3, 8, 4))
    assert where.shape == (20, 1, 8, 4)
    assert (where.sum((1, 2, 3)) == 4 * 2).all()
    maps, units = torch.zeros(20, 3, 8, 4), torch.tensor([False, True, False])[None, :, None, None]
    found = inserting(torch.tensor([5.0, 7, 9]), where)(maps, units)
    assert torch.equal(found, where * units * 7.0)
    assert torch.equal(ablate(maps + 1, units), 1.0 - units.float().expand_as(maps))


def test_the_grid_takes_points_in_the_middle_of_its_cells() -> None:
    label = torch.arange(128 * 256).view(1, 128, 256)
    found = on_grid(label)
    assert found.shape == (1, 32, 64)
    assert torch.equal(found, label[:, 2::4, 2::4])
    assert torch.equal(on_grid(label[:, :32, :64]), label[:, :32, :64])


def test_labels_and_concepts_of_a_preset_agree() -> None:
    members = torch.from_numpy(shape_masks.members(EASY))
    assert members.shape == (1 + 13 * 8, 1 + 12 + 8)
    assert not members[0].any()
    assert members[1:, 0].all()
    assert (members[1 : 1 + 12 * 8].sum(1) == 3).all()
    assert (members[1 + 12 * 8 :].sum(1) == 2).all()  # a known colour, but no known shape
