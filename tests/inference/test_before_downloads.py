"""What a published model cannot do is said before it is downloaded."""

from pathlib import Path

import pytest

from gancli.checkpoints import find, published
from tests.conftest import Cli, noise_images


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "fetch_checkpoint", lambda *_: pytest.fail("the network was tried"))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sample", "horse2zebra"), "does not generate images from latents: try `gancli translate`"),
        (("interpolate", "cyclegan/sat2map"), "does not generate images from latents"),
        (("classify", "horse2zebra", "photos"), "has no classifier head"),
        (("translate", "horse2zebra", "nowhere.jpg"), "nowhere.jpg: no such file"),
        (("translate", "horse2zebra", "empty"), "no images in empty"),
        (("translate", "horse2zebra", "photos/000.png", "--mask", "0,0,4,4"), "does not fill holes"),
        (("sample", "sat2map"), "is ambiguous"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_it_is_refused_before_the_network_is_tried(cli: Cli, words: tuple[str, ...], said: str) -> None:
    noise_images(Path("photos"), 1)
    Path("empty").mkdir()
    result = cli(*words)
    assert result.code == 2
    assert said in result.err
    assert "fetching" not in result.err


def test_a_run_of_that_name_goes_first(cli: Cli) -> None:
    assert find.only_published("horse2zebra")
    assert not find.only_published("no-such-model")
    checkpoints = Path("runs/horse2zebra/checkpoints")
    checkpoints.mkdir(parents=True)
    (checkpoints / "000000001.safetensors").touch()
    assert not find.only_published("horse2zebra")


def test_what_it_can_do_is_fetched(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(published, "fetch_checkpoint", lambda *name: asked.append(name) or Path("nowhere"))
    noise_images(Path("photos"), 1)
    cli("translate", "horse2zebra", "photos/000.png", "missing.png")
    cli("info", "horse2zebra")
    assert asked == [(published.find("horse2zebra"),)] * 2
