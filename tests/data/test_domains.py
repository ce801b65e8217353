"""Two domains and pairs, from every layout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gancli import registry
from gancli.data.feed import Feed
from gancli.data.kinds.paired import Paired
from gancli.data.kinds.unpaired import Unpaired
from gancli.data.request import Request, Wanted
from gancli.data.synthetic import shapes
from gancli.data.synthetic.pairs import MAKERS
from gancli.errors import UserError
from gancli.evaluation.known_truth import domains
from gancli.training.options import OF_SOME_DATA
from tests.conftest import Cli, noise_images

CPU = torch.device("cpu")
REDS = (0, 40, 80, 120)


def flat_images(folder: Path, values: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (16, 16)) -> Path:
    """One plain picture for each value, named by its place: what a pair shows is known."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, value in enumerate(values):
        Image.new("L", size, value).convert(mode).save(folder / f"{i}.png")
    return folder


def plain(image: torch.Tensor) -> list[int]:
    return [round(float((x.mean() + 1) * 127.5)) for x in image]


def test_two_sub_folders_are_two_domains_in_orders_of_their_own(tmp_path: Path) -> None:
    flat_images(tmp_path / "cats", REDS)
    flat_images(tmp_path / "dogs", tuple(range(100, 107)))
    dataset = Unpaired.open(Request(str(tmp_path)))
    assert dataset.spec.domains == ("cats", "dogs")
    assert len(dataset) == 7
    feed = Feed(dataset, 4, 0, CPU)
    batches = [feed.at(i * 4) for i in range(7)]
    a = [value for batch in batches for value in plain(batch.a)]
    b = [value for batch in batches for value in plain(batch.b)]
    for epoch in range(7):  # each a permutation, whatever the other's length
        assert sorted(a[epoch * 4 : epoch * 4 + 4]) == list(REDS)
    for epoch in range(4):
        assert sorted(b[epoch * 7 : epoch * 7 + 7]) == list(range(100, 107))
    assert plain(feed.at(12).a) == a[12:16]  # a function of the images seen


def test_the_two_orders_are_not_tied(tmp_path: Path) -> None:
    flat_images(tmp_path / "x", tuple(range(64)))
    flat_images(tmp_path / "y", tuple(range(64)))
    batch = Feed(Unpaired.open(Request(str(tmp_path))), 64, 0, CPU).at(0)
    assert plain(batch.a) != plain(batch.b)
    assert sorted(plain(batch.a)) == sorted(plain(batch.b))


def test_data_b_and_mixed_modes(tmp_path: Path) -> None:
    a, b = flat_images(tmp_path / "a" / "grey", REDS, "L"), flat_images(tmp_path / "b" / "colour", REDS[:2])
    dataset = Unpaired.open(Request(str(a), data_b=str(b)))
    assert dataset.spec.domains == ("grey", "colour")
    assert dataset.spec.channels == 3
    assert [len(column) for column in dataset.columns.values()] == [4, 2]


def test_the_usual_layout_takes_the_split(tmp_path: Path) -> None:
    for i, name in enumerate(("testA", "testB", "trainA", "trainB")):
        flat_images(tmp_path / name, (i * 10, i * 10))
    for split, values in (("train", (20, 30)), ("test", (0, 10))):
        dataset = Unpaired.open(Request(str(tmp_path), split=split))
        assert dataset.spec.domains == (f"{split}A", f"{split}B")
        batch = Feed(dataset, 2, 0, CPU).at(0)
        assert (plain(batch.a)[0], plain(batch.b)[0]) == values


@pytest.mark.parametrize("kind", [Unpaired, Paired])
def test_one_folder_is_no_two_domains(kind: type[Paired] | type[Unpaired], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two sub-folders"):
        kind.open(Request(str(noise_images(tmp_path / "one"))))


def test_pairs_are_matched_by_name_and_a_broken_half_takes_its_pair(tmp_path: Path) -> None:
    a = flat_images(tmp_path / "A", tuple(range(0, 240, 2)))
    b = flat_images(tmp_path / "B", tuple(range(1, 241, 2)))
    (a / "7.png").write_bytes(b"no picture")
    (b / "9.png").rename(b / "extra.png")
    (b / "11.png").rename(b / "11.jpg.PNG")
    dataset = Paired.open(Request(str(tmp_path)))
    source, target = (plain(column.float() / 127.5 - 1) for column in dataset.columns.values())
    assert len(source) == 117  # of 120: one broken, one renamed, one whose stem differs
    assert all(t == s + 1 for s, t in zip(source, target))
    assert not {14, 18, 22} & set(source)
    swapped = Paired.open(Request(str(tmp_path), direction="BA"))
    assert swapped.spec.domains == ("B", "A")
    assert plain(swapped.columns["source"].float() / 127.5 - 1) == target


def test_side_by_side_pictures_are_cut_in_the_middle(tmp_path: Path) -> None:
    for i in range(3):
        whole = Image.new("RGB", (64, 24), (10 * i, 10 * i, 10 * i))
        whole.paste((200 + i, 200 + i, 200 + i), (32, 0, 64, 24))
        whole.save(tmp_path / f"{i}.png")
    dataset = Paired.open(Request(str(tmp_path), Wanted(size=(16, 16))))
    source, target = (plain(column.float() / 127.5 - 1) for column in dataset.columns.values())
    assert (source, target) == ([0, 10, 20], [200, 201, 202])


def test_built_in_domains_differ_in_texture_alone() -> None:
    preset = shapes.PRESETS["shapes-domains"]
    pairs, apart = Paired.open(Request("shapes-domains")), Unpaired.open(Request("shapes-domains"))
    f = shapes.factors(preset, shapes.SEED, np.arange(40))
    for side, texture in (("source", 0), ("target", 1)):
        wanted = f | {"texture": np.full(40, texture)}
        assert domains.compare(preset, wanted, pairs.columns[side][:40].numpy())["domain_right"] == 1
        assert domains.compare(preset, wanted, pairs.columns[side][:40].numpy())["iou"] > 0.95
    assert torch.equal(apart.columns["a"], pairs.columns["source"])
    assert not torch.equal(apart.columns["b"], pairs.columns["target"])  # other shapes than A's


def test_the_score_tells_wrong_domain_and_lost_content() -> None:
    preset = shapes.PRESETS["shapes-domains"]
    assert domains.score(preset, lambda x: x, "outlined", 40, 32)["domain_right"] == 0
    found = domains.score(preset, lambda x: np.roll(x, 1, 0), "outlined", 40, 32)
    assert found["iou"] < 0.6


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_made_sources(maker: str, channels: int) -> None:
    target = torch.rand(3, channels, 24, 32) * 2 - 1
    torch.manual_seed(0)
    source = MAKERS[maker](target)
    assert source.shape == target.shape
    assert source.abs().max() <= 1
    assert not torch.equal(source, target) or (maker, channels) == ("gray", 1)
    if channels == 4:
        assert torch.equal(source[:, 3:], target[:, 3:])
    torch.manual_seed(0)
    assert torch.equal(MAKERS[maker](target[:, :channels]), source)


def test_made_sources_show_what_they_are_called() -> None:
    step = torch.full((1, 3, 32, 32), -1.0)
    step[..., 16:] = 1
    edges = MAKERS["edges"](step)
    assert edges[0, 0, :, 15:17].max() < 0
    assert edges[0, 0, :, :13].min() > 0.9
    gray = MAKERS["gray"](torch.rand(2, 3, 8, 8))
    assert torch.equal(gray[:, 0], gray[:, 2])
    mosaic = MAKERS["mosaic"](torch.rand(1, 3, 32, 32))
    assert torch.equal(mosaic[..., 0::4, :], mosaic[..., 3::4, :])
    holes = (MAKERS["mask"](torch.ones(50, 1, 32, 32)) == 0).float().mean((1, 2, 3))
    assert holes.min() > 0.04
    assert holes.max() < 0.3


def test_pairs_from_the_command_line(cli: Cli, pictures: Path) -> None:
    done = cli("train", "pix2pix", "--data", pictures, "--pairs", "gray", "--size", 16, "--steps", 1, "--width", 4)
    assert done.code == 0, done.err
    assert "source images made from them: gray" in done.out


@pytest.mark.parametrize("option", [("--pairs", "gray"), ("--data-b", "x"), ("--direction", "BA")])
def test_options_of_other_kinds_are_not_there(cli: Cli, option: tuple[str, str]) -> None:
    done = cli("train", "dcgan", *option)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert option[0] in done.err


@pytest.mark.parametrize("name", registry.names())
def test_a_variant_offers_what_its_data_uses(cli: Cli, name: str) -> None:
    uses = registry.load(name).data.uses
    assert registry.data_options(name) == set(uses)
    help_text = cli("train", name, "--help").out
    for option in OF_SOME_DATA:
        assert (f"--{option.replace('_', '-')} " in help_text) == (option in uses), option
