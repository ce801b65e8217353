"""Layouts of others with widths, depths, sizes and labels that nobody published."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gancli import registry
from gancli.checkpoints import fine_tuning
from gancli.checkpoints.importers.convert import to_gan
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.importers.reading.state_dict import read_state_dict
from gancli.checkpoints.importers.styles.stylegans import roundest
from gancli.data.spec import DataSpec
from gancli.errors import UserError
from gancli.nets.high_fidelity import progan, r3gan, stylegan2, stylegan3
from tests.checkpoints.importers import style_layouts as layouts
from tests.conftest import Cli

ABC = ("a", "b", "c")


def imported(held: Any, folder: Path, **asked: Any) -> tuple[Any, str]:
    file = folder / "theirs.pt"
    if isinstance(held, dict):
        torch.save(held, file)
    else:
        file.write_bytes(layouts.pickled(held))
    gan, variant, _ = to_gan(read_state_dict(file), file, Asked("x", **asked))
    return gan.eval().requires_grad_(False), variant


def alike(gan: Any, net: Any, inputs: int) -> bool:
    """They draw the same for the same latents, which have labels if the network has."""
    z = gan.prior(3)
    assert z.shape == (3, inputs)
    with torch.no_grad():
        found, expected = gan.G(z), net(z)
    largest = expected.abs().max()
    assert (expected - expected.flip(0)).abs().max() > 0.01 * largest
    return bool((found - expected).abs().max() <= 1e-5 * largest)


def styled(net: Any, labelled: bool) -> dict[str, Tensor]:
    """NVlabs' state: one mean style for all classes, and a filter that nothing uses."""
    state = net.state_dict()
    return state | {"mapping.w_avg": state["mapping.w_avg"][0]} if labelled else state


@pytest.mark.parametrize(("channels", "variant"), [([9, 9, 4], "stylegan2"), ([5, 7, 6], "stylegan2-generator")])
@pytest.mark.parametrize("classes", [(), ABC], ids=len)
@pytest.mark.parametrize("layout", ["torch", "tensorflow"])
def test_stylegan2_of_nvlabs(
    channels: list[int], variant: str, classes: tuple[str, ...], layout: str, tmp_path: Path
) -> None:
    net = layouts.unlike(stylegan2.Generator(6, 5, 3, channels, DataSpec(4, 16, 16, classes)))
    state = styled(net, bool(classes))
    unused = {"synthesis.b8.conv1.resample_filter": torch.ones(4, 4)}
    three = (layouts.tensorflow(state),) * 3
    gan, found = imported(three if layout == "tensorflow" else {"G_ema": state | unused}, tmp_path)
    assert found == variant
    assert gan.classes == tuple("012"[: len(classes)])
    assert gan.G.mapping.w_avg.shape == ((3, 5) if classes else (5,))
    assert alike(gan, net, 6 + len(classes))
    if classes:
        assert torch.equal(gan.mean_styles(gan.prior(1))[0, 0], state["mapping.w_avg"])


def test_averaged_weights_of_tensorflow_are_preferred(tmp_path: Path) -> None:
    nets = [stylegan2.Generator(6, 5, 2, [4, 4], DataSpec(3, 8, 8)) for _ in range(3)]
    gan, _ = imported(tuple(layouts.tensorflow(net.state_dict()) for net in nets), tmp_path)
    assert torch.equal(gan.G.synthesis.b4.const, nets[2].synthesis.b4.const)  # type: ignore[union-attr]


@pytest.mark.parametrize("whole", [True, False])
def test_stylegan2_of_rosinality(whole: bool, tmp_path: Path) -> None:
    """Without noise and a mean style, these are made, and are the same every time."""
    net = layouts.unlike(stylegan2.Generator(6, 6, 3, [5, 7, 6], DataSpec(3, 16, 16)))
    theirs = layouts.rosinality(net.state_dict())
    held: dict[str, Any] = {"g_ema": theirs, "latent_avg": net.mapping.w_avg}
    if not whole:
        held = {"g_ema": {name: tensor for name, tensor in theirs.items() if not name.startswith("noises")}}
    gan, variant = imported(held, tmp_path)
    assert variant == "stylegan2-generator"
    if whole:
        assert alike(gan, net, 6)
        assert torch.equal(gan.G.mapping.w_avg, net.mapping.w_avg)
    else:
        w = gan.styles(gan.prior(4000))[:, 0]
        assert (gan.G.mapping.w_avg - w.mean(0)).norm() < 0.1 * (w - w.mean(0)).norm(dim=1).mean()
        again, _ = imported(held, tmp_path)
        assert all(torch.equal(a, b) for a, b in zip(gan.state_dict().values(), again.state_dict().values()))


SHAPES = {
    "stylegan3": [
        stylegan3.Shape(z_dim=6, w_dim=5, layers=5, base=90, most=7),
        stylegan3.Shape(z_dim=6, w_dim=5, layers=6, base=200, most=10, kernel=1, radial=True, mapping=3),
    ],
    "stylegan3-generator": [
        stylegan3.Shape(z_dim=6, w_dim=5, layers=5, base=99, most=9, kernel=3, radial=True),
        stylegan3.Shape(z_dim=6, w_dim=5, layers=6, base=200, most=9, kernel=1, radial=True),
    ],
}


@pytest.mark.parametrize("classes", [(), ABC], ids=len)
@pytest.mark.parametrize(("variant", "shape"), [(name, shape) for name, shapes in SHAPES.items() for shape in shapes])
def test_stylegan3(variant: str, shape: stylegan3.Shape, classes: tuple[str, ...], tmp_path: Path) -> None:
    net = layouts.unlike(stylegan3.Generator(shape, DataSpec(1, 16, 16, classes)))
    gan, found = imported({"G_ema": styled(net, bool(classes))}, tmp_path)
    assert found == variant
    assert alike(gan, net, 6 + len(classes))


def test_stylegan3_with_other_filters_is_refused(tmp_path: Path) -> None:
    net = stylegan3.Generator(SHAPES["stylegan3"][0], DataSpec(1, 16, 16))
    state = net.state_dict()
    name = next(name for name in state if name.startswith("synthesis.L2") and name.endswith("up_filter"))
    with pytest.raises(UserError, match="filters of the published"):
        imported({"G_ema": state | {name: state[name] * 1.2}}, tmp_path)


@pytest.mark.parametrize(("low", "high", "found"), [(31000, 33000, 32768), (5, 5, 5), (90.5, 93.5, 92), (7, 1e9, 8)])
def test_the_roundest_number(low: float, high: float, found: int) -> None:
    assert roundest(low, high) == found


def test_stylegan_of_lernapparat(tmp_path: Path) -> None:
    theirs = layouts.Lernapparat(6, 3, [5, 4, 6, 3, 3, 2])  # from 128 pixels on kernels are turned
    gan, variant = imported(theirs.state, tmp_path)
    assert variant == "stylegan-generator"
    z, noise = gan.prior(2), [block.style1.noise_const for block in gan.G.synthesis.blocks]
    expected, found = theirs(z, noise), gan.G(z)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    ("stages", "classes", "embedding", "variant"),
    [
        ([(8, 2, 4), (8, 2, 4), (4, 2, 4)], (), 0, "r3gan"),
        ([(8, 1, 4), (8, 1, 4), (8, 1, 4)], ABC, 0, "r3gan"),
        ([(8, 1, 4), (8, 1, 4), (8, 1, 4)], ABC, 2, "r3gan-generator"),
        ([(8, 1, 4), (6, 3, 2), (6, 2, 3)], ABC, 0, "r3gan-generator"),
        ([(8, 1, 4, 3), (8, 1, 4, 3)], (), 0, "r3gan-generator"),
    ],
)
def test_r3gan(
    stages: list[tuple[int, ...]], classes: tuple[str, ...], embedding: int, variant: str, tmp_path: Path
) -> None:
    side = 2 << len(stages)
    spec, steps = DataSpec(3, side, side, classes), [r3gan.Stage(*stage) for stage in stages]
    net = layouts.unlike(r3gan.Generator(5, steps, spec, classes=len(classes), embedding=embedding))
    gan, found = imported({"G_ema": layouts.r3gan(net.state_dict())}, tmp_path, classes=classes)
    assert found == variant
    assert gan.classes == classes
    assert alike(gan, net, 5 + len(classes))


@pytest.mark.parametrize(
    ("channels", "classes", "variant"),
    [([8, 8, 4], (), "progan"), ([5, 7, 6], (), "progan-generator"), ([8, 8, 4], ABC, "progan-generator")],
)
def test_progan_of_the_zoo(channels: list[int], classes: tuple[str, ...], variant: str, tmp_path: Path) -> None:
    net = layouts.unlike(progan.Generator(6 + len(classes), channels, DataSpec(3, 16, 16), first=2))
    gan, found = imported({"avgG": layouts.gan_zoo(net.state_dict())}, tmp_path, classes=classes)
    assert found == variant
    assert alike(gan, net, 6 + len(classes))


def test_names_of_classes_are_as_many_as_the_file_has(tmp_path: Path) -> None:
    net = stylegan2.Generator(6, 5, 2, [4, 4], DataSpec(3, 8, 8, ABC))
    gan, _ = imported({"G_ema": net.state_dict()}, tmp_path, classes=ABC)
    assert gan.classes == ABC
    with pytest.raises(UserError, match="--classes names 2, but the file has 3"):
        imported({"G_ema": net.state_dict()}, tmp_path, classes=ABC[:2])


def test_training_goes_on_from_an_imported_generator(cli: Cli) -> None:
    """With a D made anew, which the file did not hold: an imported model is never rated by one that knows nothing."""
    spec = DataSpec(3, 16, 16)
    net = layouts.unlike(progan.Generator(6, [8, 8, 4], spec, first=2))
    torch.save({"avgG": layouts.gan_zoo(net.state_dict())}, "theirs.pth")
    assert cli("import", "theirs.pth", "--as", "zoo").code == 0
    done = cli("sample", "zoo", "--truncation", "0.5")
    assert (done.code, "holds no discriminator" in done.err) == (2, True), done.err
    start, kind = fine_tuning.named("zoo", "progan", 0), registry.load("progan")
    gan: Any = kind(kind.hparams(**fine_tuning.hyperparameters(start, kind)), spec)
    fine_tuning.check_options(start, kind, gan.hp, {})
    fine_tuning.begin(start, gan)
    assert alike(gan, net, 6)
    assert "holds no D, which starts with random weights" in fine_tuning.notes(start, gan)[0]


def test_a_network_in_itself_ends(tmp_path: Path) -> None:
    """It is told that its tensors are not known, after no time."""
    net = layouts.network([], {})
    net.__dict__["components"] = {f"part{i}": net for i in range(50)}
    with pytest.raises(UserError, match="not a supported generator"):
        imported((net,), tmp_path)


CLAIMS = {  # a name, and what stands there instead
    "a width beyond all memory": ("synthesis.b8.conv1.weight", torch.zeros(10**7, 0, 3, 3)),
    "a number in place of a matrix": ("mapping.fc1.weight", torch.zeros(())),
    "no latent": ("mapping.fc0.weight", torch.zeros(5, 0)),
    "another resolution": ("synthesis.b12345678901.conv1.weight", torch.zeros(4, 4, 3, 3)),
    "no mean style": ("mapping.w_avg", None),
    "a layer that is not known": ("synthesis.b8.skip.weight", torch.zeros(4, 4, 1, 1)),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_file_only_claims_is_refused(claim: str, tmp_path: Path) -> None:
    name, tensor = CLAIMS[claim]
    state = stylegan2.Generator(6, 5, 2, [4, 4], DataSpec(3, 8, 8)).state_dict()
    held = {key: value for key, value in (state | {name: tensor}).items() if value is not None}
    with pytest.raises(UserError):
        imported({"G_ema": held}, tmp_path)


class Endless:
    """A pickled module that holds itself."""

    def __init__(self) -> None:
        self._parameters, self._buffers, self._modules = {}, {}, {"inner": self}


def test_a_module_in_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "theirs.pkl"
    file.write_bytes(pickle.dumps({"G_ema": Endless()}))
    with pytest.raises(UserError, match="cannot be read: its modules are nested"):
        read_state_dict(file)
