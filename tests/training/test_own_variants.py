"""An error in a variant of the user's own is one line with file, line, member and what it must return."""

from pathlib import Path

import pytest

from tests.conftest import Cli

HEAD = '''"""Mine: Me 2026, "My GAN"."""

import torch

from gancli.families.noise import NoiseHParams, NoiseToImage
from gancli.gan import Turn


class Mine(NoiseToImage[NoiseHParams]):
    """My idea."""

    hparams = NoiseHParams

'''
FIRST = HEAD.count("\n") + 1  # the line of a member's `def`
QUICK = ("--steps", 2, "--batch", 4, "--width", 4, "--z-dim", 6, "--metrics", "none", "--out", "x")
TERMS = "must return a dict of terms: scalar tensors by name"

MEMBERS = {
    "no terms": ("def d_terms(self, real, fake):\n    pass", f"{FIRST}: Mine.d_terms returned None, but {TERMS}"),
    "a term for each image": (
        "def d_terms(self, real, fake):\n    return {'a': self.D(real)}",
        f"{FIRST}: Mine.d_terms returned a dict of a: a Tensor of shape (4,), but {TERMS}",
    ),
    "a tensor for terms": (
        "def g_terms(self, fake):\n    return self.D(fake).mean()",
        f"{FIRST}: Mine.g_terms returned a Tensor of shape (), but {TERMS}",
    ),
    "a wrong name": (
        "def d_terms(self, real, fake):\n    return {'a': self.E(real)}",
        f"{FIRST + 1}: Mine.d_terms: AttributeError: 'Mine' object has no attribute 'E'; it {TERMS}",
    ),
    "shapes that do not fit": (
        "def g_terms(self, fake):\n    return {'a': (self.D(fake) @ torch.ones(3)).mean()}",
        f"{FIRST + 1}: Mine.g_terms: RuntimeError: ",
    ),
    "an error inside a function of a member": (
        "def g_terms(self, fake):\n    def f():\n        return 1 / 0\n    return {'a': f()}",
        f"{FIRST + 2}: Mine.g_terms: ZeroDivisionError: division by zero; it {TERMS}",
    ),
    "no turns": (
        "def play(self, batch, clock):\n    return None",
        f"{FIRST}: Mine.play returned None, but must return turns: yield a Turn for each move of a player",
    ),
    "a turn of another kind": (
        "def play(self, batch, clock):\n    yield {'D': 1}",
        f"{FIRST}: Mine.play yielded a dict of D: a int, but must yield a Turn",
    ),
    "a turn of a player that is none": (
        "def play(self, batch, clock):\n    yield Turn('C', {'a': self.D(batch.image).mean()})",
        "Mine yields a turn of 'C', but players() has D, G",
    ),
    "a list of players": (
        "def players(self):\n    return [self.adam(self.G)]",
        f"{FIRST}: Mine.players returned a list, but must return a dict of optimisers by player",
    ),
    "a network that nobody trains": (
        "def players(self):\n    return {'D': self.adam(self.D)}",
        "Mine has weights that no player trains: G.",
    ),
    "no network": (
        "def generator(self):\n    return lambda z: z",
        f"{FIRST}: Mine.generator returned a function, but must return a network, an nn.Module",
    ),
    "no served network": ("served = ('F',)", "Mine has no network F: assign self.F in __init__"),
    "images without channels": (
        "def fakes(self, batch):\n    return self.generate(self.prior(len(batch))).mean(1)",
        f"{FIRST}: Mine.fakes returned a Tensor of shape (12, 8, 8), but must return images, a tensor (N, C, H, W)",
    ),
    "latents of one axis": (
        "def prior(self, n):\n    return torch.zeros(n)",
        f"{FIRST}: Mine.prior returned a Tensor of shape (4,), but must return latents, a tensor (n, Z)",
    ),
    "one name for all rows of a panel": (
        "def panel_names(self):\n    return 'samples'",
        f"{FIRST}: Mine.panel_names returned a str, but must return a tuple of names, one per row of a panel",
    ),
    "an error while the class is built": ("purpose = 1 / 0", f"{FIRST}: Mine: ZeroDivisionError: division by zero"),
    "an error in the constructor": (
        "def __init__(self, hp, spec):\n    super().__init__(hp)",
        f"{FIRST + 1}: Mine.__init__: TypeError: ",
    ),
}


def write(member: str) -> None:
    Path("mine.py").write_text(HEAD + "".join(f"    {line}\n" for line in member.splitlines()))


@pytest.mark.parametrize("what", MEMBERS)
def test_it_is_one_line_and_nothing_is_written(cli: Cli, pictures: Path, what: str) -> None:
    member, says = MEMBERS[what]
    write(member)
    result = cli("train", "./mine.py", "--data", pictures, *QUICK)
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert says in result.err
    assert result.err.startswith("gancli: mine.py:")
    assert not Path("x").exists()


def test_an_error_at_import_names_its_line(cli: Cli) -> None:
    Path("mine.py").write_text(
        HEAD.replace("import torch\n", "import torch\n\nimport no_such_package\n") + "    pass\n"
    )
    result = cli("train", "./mine.py", *QUICK)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "mine.py:5: ModuleNotFoundError: No module named 'no_such_package'" in result.err


def test_what_is_right_trains_as_before(cli: Cli, pictures: Path) -> None:
    """The first step that finds errors moves nothing: a run of the file equals a run of the class that it copies."""
    write("def d_terms(self, real, fake):\n    return super().d_terms(real, fake)")
    words = ("--data", pictures, "--preset", "paper", *QUICK[:-1])
    assert cli("train", "./mine.py", *words, "own").code == 0
    Path("plain.py").write_text(HEAD + "    pass\n")
    assert cli("train", "./plain.py", *words, "plain").code == 0
    from safetensors.torch import load_file

    own, plain = (load_file(f"{name}/checkpoints/000000008.safetensors") for name in ("own", "plain"))
    assert all(own[name].equal(plain[name]) for name in plain)
    assert cli("sample", "own", "-n", 1).code == 0


def test_errors_of_gancli_itself_keep_their_traceback(
    cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gancli.training import launch

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    write("pass")
    monkeypatch.setattr(launch, "tuned", broken)
    with pytest.raises(ZeroDivisionError):
        cli("train", "./mine.py", "--data", pictures, *QUICK)
