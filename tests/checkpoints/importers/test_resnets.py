"""Residual generators of other people: what is imported draws what the authors' code drew, and any size of it fits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from gancli.checkpoints import checkpoint
from gancli.checkpoints.find import Model
from gancli.checkpoints.importers.convert import convert, to_gan
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.importers.reading.state_dict import read_state_dict
from gancli.checkpoints.load import load_model
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.imported.generators.biggan_deep_hf import DeepHParams, TabulatedBigGANDeep
from gancli.imported.generators.residual_gan import ResidualGAN, ResidualHParams
from gancli.system.untrusted import bounds
from tests.checkpoints.importers.resnet_layouts import State, ajbrock, chainer, deep, filled, mimicry, studio
from tests.conftest import Cli
from tests.parity import Fixture, fixture

DEEP = "hf-biggan-deep-32-pytorch_model.bin"
FIXTURES = (
    "biggan-ajbrock-32.G_ema.pth", "biggan-ajbrock-cifar.G_ema.pth", "studiogan-biggan32.G_ema.pth",
    "studiogan-sngan32.G_ema.pth", "mimicry-sngan32.netG.pth", "mimicry-cganpd32.netG.pth",
)  # fmt: skip


def loaded(file: Path, folder: Path) -> Any:
    out = convert(file, folder / "out.safetensors", Asked("x"))
    return load_model(Model(out, checkpoint.describe(out), ""))


def latents(gan: Any, given: Fixture, n: int = 4) -> Tensor:
    z = torch.from_numpy(given.arrays["in_z"])[:n]
    label = F.one_hot(torch.from_numpy(given.arrays["in_y"])[:n], len(gan.classes)).float() if gan.classes else z[:, :0]
    return torch.cat([z, label], 1)


# -------------------------------------------------------------------------------- the authors' code


@pytest.mark.parametrize("name", FIXTURES)
@torch.no_grad()
def test_what_is_imported_draws_what_the_authors_code_drew(name: str, tmp_path: Path) -> None:
    given = fixture(name)
    gan = loaded(given.file, tmp_path)
    z = latents(gan, given)
    assert given.off("out_img", gan.generate(z).numpy()) <= given.limit("out_img")
    assert given.off("out_img", gan.generate(z * 1.01).numpy()) > given.limit("out_img")


@torch.no_grad()
def test_biggan_deep_at_every_truncation(tmp_path: Path) -> None:
    """Also between two rows of its statistics (.43), and where the authors' rounding takes the next row (.14)."""
    given = fixture(DEEP)
    gan = loaded(given.file, tmp_path)
    outputs = [name for name in given.arrays if name.startswith("out_trunc")]
    assert len(outputs) == 5
    assert given.off("out_trunc1", gan.generate(latents(gan, given)).numpy()) <= given.limit("out_trunc1")
    for output in outputs:
        z, truncation = latents(gan, given, len(given.arrays[output])), float(output.removeprefix("out_trunc"))
        z[:, : gan.hp.z_dim] *= truncation
        gan.load_state_dict(gan.prepared(truncation), strict=False)
        assert given.off(output, gan.generate(z).numpy()) <= given.limit(output)
        gan.load_state_dict(gan.prepared(0.9), strict=False)
        assert given.off(output, gan.generate(z).numpy()) > given.limit(output)


# -------------------------------------------------------------------------------- any widths, depths, labels


@st.composite
def networks(draw: st.DrawFn, **fixed: Any) -> ResidualGAN:
    """Small networks of any depth, widths, size, labels and attention, whose tensors are random."""
    blocks = draw(st.integers(1, 3))
    channels = draw(st.lists(st.integers(2, 9), min_size=blocks + 1, max_size=blocks + 1))
    classes = draw(st.integers(0, 3)) if fixed.get("labels", True) else 0
    embedding = draw(st.integers(0, 4)) if fixed.get("embedding", False) and classes else 0
    part = draw(st.integers(0, 3)) if embedding else 0
    attention = draw(st.sets(st.integers(1, blocks))) if fixed.get("attention", False) else set()
    said = {name: fixed[name] for name in ("eps", "centre", "bilinear") if name in fixed}
    hp = ResidualHParams(
        z_dim=draw(st.integers(1, 4)) + part * blocks, channels=",".join(map(str, channels)), embedding=embedding,
        part=part, attention=",".join(map(str, sorted(attention))), **said,
    )  # fmt: skip
    side = draw(st.integers(2, 5)) << blocks
    return filled(ResidualGAN(hp, DataSpec(draw(st.sampled_from([1, 3])), side, side, names(classes))))


def names(classes: int) -> tuple[str, ...]:
    return tuple(map(str, range(classes)))


@torch.no_grad()
def comes_back(gan: Any, state: State, file: Path = Path("x.pth")) -> None:
    found: Any = to_gan({name: tensor.float() for name, tensor in state.items()}, file, Asked("x"))[0]
    assert (found.hp, found.spec) == (gan.hp, gan.spec)
    z = gan.prior(2)
    assert torch.equal(found.eval().generate(z), gan.generate(z))


FEW = settings(max_examples=8, deadline=None)


@FEW
@given(networks(embedding=True, attention=True, centre=1.0))
def test_any_biggan_of_ajbrock(gan: ResidualGAN) -> None:
    if gan.classes:  # it always has labels
        comes_back(gan, ajbrock(gan))


@FEW
@given(networks(embedding=True, attention=True, centre=1.0, eps=1e-4))
def test_any_residual_network_of_studiogan(gan: ResidualGAN) -> None:
    comes_back(gan, studio(gan))


@FEW
@given(networks(centre=0.0, bilinear=True))
def test_any_residual_network_of_mimicry(gan: ResidualGAN) -> None:
    comes_back(gan, mimicry(gan))


@FEW
@given(networks(centre=0.0, eps=2e-5), st.booleans())
def test_any_network_of_sngan_projection(tmp_path_factory: pytest.TempPathFactory, gan: Any, packed: bool) -> None:
    file = tmp_path_factory.mktemp("chainer") / "ResNetGenerator_850000.npz"
    arrays = {name: np.asfortranarray(tensor.numpy()) for name, tensor in chainer(gan).items()}
    (np.savez_compressed if packed else np.savez)(file, **arrays)  # pyright: ignore[reportArgumentType]
    comes_back(gan, read_state_dict(file), file)


@st.composite
def deep_networks(draw: st.DrawFn) -> TabulatedBigGANDeep:
    """Small ones of any depth and doublings; channels can only fall."""
    channels = sorted(draw(st.lists(st.integers(2, 12), min_size=2, max_size=4)), reverse=True)
    doubling = draw(st.sets(st.integers(1, len(channels) - 1)))
    hp = DeepHParams(
        z_dim=draw(st.integers(1, 4)), embedding=draw(st.integers(1, 4)), channels=",".join(map(str, channels)),
        doubling=",".join(map(str, sorted(doubling))), attention=draw(st.integers(0, len(channels) - 1)),
        eps=draw(st.sampled_from([1e-4, 1e-5])), rows=draw(st.integers(2, 5)), spare=draw(st.integers(0, 4)),
    )  # fmt: skip
    side = draw(st.integers(2, 5)) << len(doubling)
    return filled(TabulatedBigGANDeep(hp, DataSpec(3, side, side, names(draw(st.integers(1, 3))))))


@FEW
@given(deep_networks(), st.sampled_from([0.001, 0.3, 1.0]))
@torch.no_grad()
def test_any_biggan_deep(tmp_path_factory: pytest.TempPathFactory, gan: TabulatedBigGANDeep, truncation: float) -> None:
    file, z = tmp_path_factory.mktemp("deep") / "my-pytorch_model.bin", gan.prior(2)
    config = {"layers": [[i in map(int, filter(None, gan.hp.doubling.split(","))), 1, 1] for i in blocks(gan)]}
    file.with_name("my-config.json").write_text(json.dumps(config | {"eps": gan.hp.eps, "output_dim": 128}))
    buffers = {t: gan.prepared(t) for t in (1.0, truncation)}
    expected = {t: drawn(gan, z, buffers[t]) for t in buffers}
    found: Any = to_gan(deep(gan), file, Asked("x"))[0]
    assert (found.hp, found.spec) == (gan.hp, gan.spec)
    assert torch.equal(found.eval().generate(z), expected[1.0])
    assert torch.equal(drawn(found, z, found.prepared(truncation)), expected[truncation])


def blocks(gan: TabulatedBigGANDeep) -> range:
    return range(1, gan.hp.channels.count(",") + 1)


def drawn(gan: Any, z: Tensor, buffers: State) -> Tensor:
    gan.load_state_dict(buffers, strict=False)
    return gan.generate(z)


# -------------------------------------------------------------------------------- what users do with them


def test_classes_and_truncations_can_be_chosen(cli: Cli) -> None:
    assert cli("import", str(fixture(DEEP).file), "--as", "deep").code == 0
    for i, words in enumerate((["--class", "7"], ["--class", "7", "--truncation", ".4"], ["--truncation", ".4"])):
        done = cli("sample", "deep", "-n", "2", *words, "--out", f"{i}.png")
        assert done.code == 0, done.err
    assert cli("interpolate", "deep", "--frames", 4, "--out", "walk.gif").code == 0
    done = cli("sample", "deep", "--truncation", "1.5")
    assert (done.code, "up to 1" in done.err) == (2, True), done.err
    classes = "plane,car,bird,cat,deer,dog,frog,horse,ship,truck"
    file = str(fixture("biggan-ajbrock-32.G_ema.pth").file)
    assert cli("import", file, "--as", "cifar", "--classes", classes).code == 0
    assert cli("sample", "cifar", "-n", "2", "--class", "frog", "--truncation", ".5", "--out", "frog.png").code == 0
    done = cli("import", file, "--as", "other", "--classes", "a,b")
    assert (done.code, "gancli: --classes: the model has 10" in done.err) == (2, True), done.err


def test_truncation_scales_latents_but_not_labels(tmp_path: Path) -> None:
    for name in (FIXTURES[0], DEEP):
        gan = loaded(fixture(name).file, tmp_path)
        torch.manual_seed(1)
        z = gan.prior(100)
        torch.manual_seed(1)
        half = gan.truncated(100, 0.5)
        assert torch.equal(half[:, : gan.hp.z_dim], z[:, : gan.hp.z_dim] / 2)
        assert torch.equal(half[:, gan.hp.z_dim :], z[:, gan.hp.z_dim :])
        assert (float(z[:, : gan.hp.z_dim].abs().max()) <= 2) == (name == DEEP)


def test_biggan_deep_needs_its_config(tmp_path: Path) -> None:
    file = tmp_path / DEEP
    file.write_bytes(fixture(DEEP).file.read_bytes())
    with pytest.raises(UserError, match=r"hf-biggan-deep-32-config\.json"):
        convert(file, tmp_path / "out.safetensors", Asked("x"))
    for content in ("{}", "[]", '{"layers": [[true, 16, 16]], "eps": 1e-4}', '{"layers": [], "eps": 1e999}', "\0"):
        (tmp_path / "hf-biggan-deep-32-config.json").write_text(content)
        with pytest.raises(UserError) as error:
            convert(file, tmp_path / "out.safetensors", Asked("x"))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*FIXTURES, DEEP])
def test_shapes_that_contradict_each_other_are_one_line(name: str) -> None:
    """Nothing is too wrong a shape for one line: each tensor in turn gets other ones."""
    file = fixture(name).file
    state = read_state_dict(file)
    used = [key for key in state if not key.endswith(("num_batches_tracked", "sv0"))]
    for key in used[:: len(used) // 6]:
        for shape in ((), (0,), (2,), (2, 0, 3, 3), (1, 2, 1, 1), (100_000, 1, 1, 1), (1, 100_000, 1, 1)):
            with pytest.raises(UserError) as error:
                to_gan({**state, key: torch.zeros(shape)}, file, Asked("x"))
            assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arrays",
    [
        {"l1/W": np.array(["a"])},
        {"l1/W": np.array([None])},
        {"l1/W": np.zeros(2, np.complex64)},
        {"l1/W": np.array([np.nan])},
        {"l1/W": np.array([1e300])},
        {"l1/W": np.ones((2, 2))},
        {},
    ],
)
def test_other_npz_files_are_one_line(arrays: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError) as error:
        convert(tmp_path / "x.npz", tmp_path / "out.safetensors", Asked("x"))
    assert "\n" not in str(error.value)


def test_an_npz_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LEAST", 2**20)
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(2**18))
    with pytest.raises(UserError, match="far more bytes"):
        read_state_dict(tmp_path / "x.npz")
