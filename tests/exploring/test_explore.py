"""What is shown is what is saved, and what the printed command generates, to the bit."""

import base64
import io
import os
import shlex
import signal
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from gancli.checkpoints import published
from gancli.checkpoints.find import only_published
from gancli.exploring import explore
from gancli.exploring.explore import site_of
from gancli.exploring.explorer import Explorer
from gancli.exploring.views import Spot
from tests.conftest import Cli, Once, Trained
from tests.exploring.conftest import Client, Served
from tests.inference.bands import trained as trained_bands

SMALL = ("--batch", 4, "--width", 4, "--z-dim", 6, "--steps", 3)
EDITS = {"axes": [[0, 2.5], [3, -1]], "directions": [[1, 1.5]]}


@pytest.fixture
def dcgan(trained: Trained) -> Path:
    return trained("dcgan", "dcgan", *SMALL)


def pixels(file: Any) -> np.ndarray:
    with Image.open(file) as picture:
        return np.stack([np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(picture)])


def shown(client: Client, view: dict[str, Any]) -> np.ndarray:
    head, _, data = client.ask("image", view)["image"].partition(",")
    assert head == "data:image/png;base64"
    return pixels(io.BytesIO(base64.b64decode(data)))


def generates_again(cli: Cli, client: Client, view: dict[str, Any]) -> list[str]:
    """Save a view, and check that the command writes the same file; return its words."""
    saved = client.ask("save", view)
    words = shlex.split(saved["command"])
    done = cli(*words[1:])
    assert done.code == 0, done.err
    written = Path(words[words.index("--out") + 1])
    assert written.read_bytes() == Path(saved["file"]).read_bytes()
    if view["view"] != "walk":
        assert (pixels(written) == shown(client, view)).all()
    written.unlink()
    return words


def views_of(spot: dict[str, Any], edits: dict[str, Any] = EDITS) -> list[dict[str, Any]]:
    pins = [spot, spot | {"seed": 9}, spot | {"seed": 4}]
    edited = [spot, spot | {"seed": 9} | edits]
    return [
        {"view": "sample", "spot": spot},
        {"view": "sheet", "spot": spot, "side": 2},
        {"view": "sample", "spot": spot | edits},
        {"view": "frame", "pins": edited, "frames": 7, "at": 3},
        {"view": "walk", "pins": pins, "frames": 5},
        {"view": "walk", "pins": edited, "frames": 3},
    ]


@pytest.mark.parametrize("spot", [{"seed": 3}, {"seed": 3, "truncation": 0.5}])
def test_saved_images_and_their_commands(cli: Cli, served: Served, dcgan: Path, spot: dict[str, Any]) -> None:
    site, _ = site_of(str(dcgan), "cpu")
    client = served(site)
    found = [generates_again(cli, client, view)[1:] for view in views_of(spot)]
    assert [words[0] for words in found] == ["sample"] * 4 + ["interpolate"] * 2
    assert ["--near" in words for words in found] == [False, False, True, True, False, False]
    assert all(str(dcgan / "checkpoints" / "000000012.safetensors") == words[1] for words in found)


def test_of_classes(cli: Cli, served: Served, trained: Trained) -> None:
    cgan = trained("cgan", "cgan", "--data", "digits", *SMALL)
    site, _ = site_of(str(cgan), "cpu")
    client = served(site)
    for view in views_of({"seed": 3, "of_class": "7"}):
        words = generates_again(cli, client, view)
        assert ("--class" in words) == ("--seeds" in words)
    other = [{"seed": 3, "of_class": "7"}, {"seed": 3, "of_class": "1"}]
    generates_again(cli, client, {"view": "walk", "pins": other, "frames": 3})
    assert client.post("image", {"view": "sample", "spot": {"seed": 1, "of_class": "ten"}})[0] == 422


def test_of_styles(cli: Cli, served: Served, once: Once) -> None:
    run = trained_bands(cli, once)
    site, _ = site_of(str(run), "cpu", Path("mine"))
    client = served(site)
    for truncation in (None, 0.4):
        for view in views_of({"seed": 3, "truncation": truncation}, EDITS | {"layers": "fine", "by": "pca"}):
            generates_again(cli, client, view)
    fine = {"view": "sample", "spot": {"seed": 3, "directions": [[0, 4]], "layers": "fine"}}
    changed = (shown(client, fine) != shown(client, {"view": "sample", "spot": {"seed": 3}})).any((0, 2, 3))
    assert changed.any()
    assert not changed[:4].any()  # coarse and middle styles act on the upper bands


def test_a_slider_changes_what_it_says(served: Served, dcgan: Path) -> None:
    site, _ = site_of(str(dcgan), "cpu")
    client = served(site)
    plain = client.ask("image", {"view": "sample", "spot": {"seed": 3}})
    moved = client.ask("image", {"view": "sample", "spot": {"seed": 3, "axes": [[2, 2.5]]}})
    assert plain["image"] != moved["image"]
    assert plain["axes"] == moved["axes"]  # those of the seed
    assert len(plain["axes"]) == 6
    assert Explorer(str(dcgan), "cpu").latent(Spot(3, axes=((2, 2.5),)))[0, 2] == 2.5
    exact = {"view": "sample", "spot": {"seed": 3, "directions": [[0, 0.0]]}}
    assert (shown(client, exact) == shown(client, {"view": "sample", "spot": {"seed": 3}})).all()
    ends = [{"view": "frame", "pins": [{"seed": 3}, {"seed": 5}], "frames": 9, "at": at} for at in (0, 8)]
    stops = [{"view": "sample", "spot": {"seed": seed}} for seed in (3, 5)]
    assert all((shown(client, end) == shown(client, stop)).all() for end, stop in zip(ends, stops))


def test_codes_have_sliders_and_labels_have_names(trained: Trained) -> None:
    infogan = trained("infogan", "infogan", "--metrics", "none", *SMALL)
    site, _ = site_of(str(infogan), "cpu")
    text = site.page("nonce")
    assert '"Code 2"' in text
    assert '"axis": 17' in text  # 6 of noise, 10 categories, 2 codes
    assert '"axis": 6,' not in text
    assert '"classes": ["0", "1"' in text


def test_nothing_is_ever_replaced(served: Served, dcgan: Path) -> None:
    site, folder = site_of(str(dcgan), "cpu")
    assert folder == dcgan / "explored"
    folder.mkdir()
    (folder / "sample-7.latent").write_text("mine")
    (folder / "notes.txt").write_text("mine too")
    client = served(site)
    files = [client.ask("save", view)["file"] for view in views_of({"seed": 1})]
    assert [Path(file).name for file in files] == [
        "sample-8.png", "grid-9.png", "sample-10.png", "sample-11.png", "walk-12.gif", "walk-13.gif"
    ]  # fmt: skip
    assert (folder / "sample-7.latent").read_text() == "mine"
    before = sorted(folder.iterdir())
    assert client.post("save", {"view": "sample", "spot": {"seed": 1, "axes": [[99, 0]]}})[0] == 422
    (dcgan / "checkpoints" / "000000012.safetensors").unlink()
    for view in views_of({"seed": 1}):
        assert client.post("save", view)[0] == 422
    assert sorted(folder.iterdir()) == before  # no file without an image


def test_a_link_leads_nowhere(served: Served, dcgan: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (dcgan / "explored").symlink_to(tmp_path / "elsewhere")
    site, _ = site_of(str(dcgan), "cpu")
    status, answer = served(site).post("save", {"view": "sample", "spot": {"seed": 1}})
    assert (status, list((tmp_path / "elsewhere").iterdir())) == (422, [])
    assert "is a link" in answer["error"]


# --------------------------------------------------------------------------------------------------- the command


def test_the_command_opens_a_browser_serves_and_ends_on_ctrl_c(
    cli: Cli, dcgan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def browse(url: str) -> None:
        with urllib.request.urlopen(url, timeout=20) as answer:
            seen.append((url, answer.status, answer.read().decode()))
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(explore.webbrowser, "open", browse)
    done = cli("explore", dcgan)
    [(url, status, text)] = seen
    assert (done.code, done.err, status) == (0, "", 200)
    assert done.out.splitlines()[0] == url
    assert str(dcgan / "explored") in done.out
    assert "<title>dcgan · gancli explore</title>" in text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=20)


def test_other_models_are_refused_in_one_line(cli: Cli, trained: Trained) -> None:
    translator = next(name for name in published.names() if only_published(name) == "translate")
    points = trained("points", "gan", "--data", "ring8", *SMALL)
    for run, says in ((translator, "try `gancli translate`"), (points, "try `gancli sample`"), ("nothing", "no model")):
        refused = cli("explore", run, "--no-open")
        assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
        assert says in refused.err


def test_a_folder_that_is_a_file_is_refused_at_once(cli: Cli, dcgan: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    refused = cli("explore", dcgan, "--no-open", "--out", tmp_path / "taken")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "is a file, but a folder is expected here" in refused.err
