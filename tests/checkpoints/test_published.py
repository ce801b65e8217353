"""Published names and downloads, against a server on loopback."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from gancli.checkpoints import published
from gancli.checkpoints.importers.convert import convert
from gancli.checkpoints.importers.layout import Asked
from gancli.checkpoints.published_models import Published
from gancli.errors import UserError
from gancli.evaluation.extractors import weights
from gancli.images.pixels import to_pixels
from gancli.images.roundtrip import to_tensor
from gancli.nets.enlargers.srvgg import CompactNet
from gancli.system import cache, download
from tests.checkpoints.renditions import ResNet, rendition
from tests.conftest import Cli
from tests.parity import fixture


class Server(ThreadingHTTPServer):
    """Serves `files`; cuts the first `cuts` answers at half of what was asked for."""

    files: dict[str, bytes]
    cuts = 0
    ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        Handler.asked.append(self.headers.get("Range"))
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if self.server.ranges else 0
        if start > len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", f'"{hash(data)}"')
        self.end_headers()
        cut = self.server.cuts > 0
        self.server.cuts -= cut
        self.wfile.write(data[start : start + (len(data) - start) // 2] if cut else data[start:])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("GANCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    cache.root.cache_clear()
    Handler.asked = []
    server = Server(("127.0.0.1", 0), Handler)
    server.files = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("GANCLI_MIRROR", server.url)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    cache.root.cache_clear()


DATA = bytes(range(256)) * 3000


@pytest.mark.parametrize("cuts", [0, 1, 3, 8])
def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path, cuts: int) -> None:
    server.files["/x"], server.cuts = DATA, cuts
    assert download.fetch(f"{server.url}/x", tmp_path / "x").read_bytes() == DATA
    assert len(Handler.asked) == cuts + 1
    assert all(asked is not None for asked in Handler.asked[1:])
    assert not (tmp_path / "x.part").exists()


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.files["/x"], server.cuts, server.ranges = DATA, 1, False
    assert download.fetch(f"{server.url}/x", tmp_path / "x").read_bytes() == DATA


def test_a_part_of_something_else_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = DATA
    (tmp_path / "x.part").write_bytes(b"?" * (len(DATA) + 9))
    assert download.fetch(f"{server.url}/x", tmp_path / "x").read_bytes() == DATA


def test_wrong_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = DATA
    with pytest.raises(UserError, match="has unexpected content"):
        download.fetch(f"{server.url}/x", tmp_path / "x", "0" * 64)
    assert list(tmp_path.glob("x*")) == []


def test_a_published_name_is_fetched_once_and_converted(server: Server, cli: Cli, tmp_path: Path) -> None:
    torch.save(rendition(lambda: ResNet(4, 9)).state_dict(), tmp_path / "net.pth")
    server.files["/cyclegan/pretrained_models/horse2zebra.pth"] = (tmp_path / "net.pth").read_bytes()
    server.cuts = 2
    first = cli("info", "horse2zebra")
    assert first.code == 0, first.err
    assert f"{server.url}/cyclegan/pretrained_models/horse2zebra.pth" in first.err
    asked = len(Handler.asked)
    assert cli("info", "horse2zebra").code == 0
    assert len(Handler.asked) == asked


def test_a_published_generator_is_sampled(server: Server, cli: Cli) -> None:
    server.files["/stylegan2-ada-pytorch/pretrained/ffhq.pkl"] = fixture("sg2ada-uncond32.pkl").file.read_bytes()
    done = cli("sample", "stylegan2-ada-ffhq", "-n", "1", "--seed-scheme", "nvlabs", "--out", "x.png")
    assert done.code == 0, done.err
    assert "stylegan2-ada-ffhq: Nvidia Source Code License: non-commercial" in done.err
    assert "non-commercial" in cli("info", "stylegan2-ada-ffhq").out


def test_what_a_killed_conversion_left_goes(cli: Cli, server: Server, tmp_path: Path) -> None:
    torch.save(ResNet(1, 1).state_dict(), tmp_path / "net.pth")
    server.files["/cyclegan/pretrained_models/horse2zebra.pth"] = (tmp_path / "net.pth").read_bytes()
    begun = tmp_path / "cache" / "published" / "cyclegan" / ".gancli-tmp-4194305-0123abcd"
    begun.mkdir(parents=True)
    (begun / "horse2zebra.safetensors").write_bytes(b"half of it")
    assert cli("info", "horse2zebra").code == 0
    assert not begun.exists()


def test_a_conversion_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(ResNet(1, 1).state_dict(), tmp_path / "net.pth")
    written: list[bytes] = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (replace(a, b), written.append(Path(b).read_bytes()))[0])
    out = convert(tmp_path / "net.pth", tmp_path / "x.safetensors", Asked("x"))
    assert written == [out.read_bytes()]


def test_one_bad_download_bars_no_name(server: Server, cli: Cli, tmp_path: Path) -> None:
    torch.save(rendition(lambda: ResNet(4, 9)).state_dict(), tmp_path / "net.pth")
    good = (tmp_path / "net.pth").read_bytes()
    for bad in (b"<html>welcome to the hotel</html>", good[: len(good) // 2], b""):
        server.files["/cyclegan/pretrained_models/monet2photo.pth"] = bad
        done = cli("info", "monet2photo")
        assert (done.code, len(done.err.splitlines())) == (2, 3), done.err
    server.files["/cyclegan/pretrained_models/monet2photo.pth"] = good
    assert cli("info", "monet2photo").code == 0


def test_the_host_is_asked_by_https_first(
    server: Server, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANCLI_MIRROR")
    here = Published(
        "cyclegan", "horse2zebra", "translate", f"{server.url}/cyclegan/pretrained_models/horse2zebra.pth", "licence"
    )
    monkeypatch.setattr(published, "MODELS", (here,))  # whose server speaks no TLS
    torch.save(rendition(lambda: ResNet(4, 9)).state_dict(), tmp_path / "net.pth")
    server.files["/cyclegan/pretrained_models/horse2zebra.pth"] = (tmp_path / "net.pth").read_bytes()
    done = cli("info", "horse2zebra")
    assert done.code == 0, done.err
    licence, secure, plain = done.err.splitlines()
    assert "licence" in licence
    assert secure.endswith("fetching https" + server.url[4:] + "/cyclegan/pretrained_models/horse2zebra.pth")
    assert "over an insecure connection" in plain
    assert "its sha256 is recorded now" in plain


def test_a_mirror_serves_all_under_the_paths_of_their_hosts(server: Server) -> None:
    assert download.mirrored("https://host.example/a/b.pth") == f"{server.url}/a/b.pth"
    server.files["/releases/v1/w-315f5bdb.pth"] = b"12345678" * 1000
    with pytest.raises(UserError, match=r"/releases/v1/w-315f5bdb\.pth has unexpected content"):
        weights.fetch_weights("w-315f5bdb.pth", "https://host.example/releases/v1/w-315f5bdb.pth", "--weights")


def test_wrong_content_for_a_name(server: Server, cli: Cli, tmp_path: Path) -> None:
    server.files["/cyclegan/pretrained_models/zebra2horse.pth"] = b"<html>no such thing</html>"
    done = cli("info", "zebra2horse")
    assert (done.code, len(done.err.splitlines())) == (2, 3)
    assert not list((tmp_path / "cache" / "published").rglob("*.pth"))


def test_a_file_that_changed_is_refused(server: Server, tmp_path: Path) -> None:
    torch.save(rendition(lambda: ResNet(4, 9)).state_dict(), tmp_path / "net.pth")
    server.files["/cyclegan/pretrained_models/sat2map.pth"] = (tmp_path / "net.pth").read_bytes()
    model = published.find("cyclegan/sat2map")
    assert model
    made = published.fetch_checkpoint(model)
    made.unlink()
    torch.save(rendition(lambda: ResNet(4, 9)).state_dict() | {"other": torch.zeros(1)}, tmp_path / "other.pth")
    made.with_suffix(".pth").write_bytes((tmp_path / "other.pth").read_bytes())
    with pytest.raises(UserError, match="was removed: its sha256 is"):
        published.fetch_checkpoint(model)
    assert not made.with_suffix(".pth").exists()
    assert published.fetch_checkpoint(model) == made  # what is there still is right


def test_a_model_of_two_files(server: Server, cli: Cli, tmp_path: Path) -> None:
    given = fixture("hf-biggan-deep-32-pytorch_model.bin").file
    weights, config = (
        f"/models.huggingface.co/biggan/biggan-deep-128-{end}" for end in ("pytorch_model.bin", "config.json")
    )
    right = given.with_name("hf-biggan-deep-32-config.json").read_bytes()
    place = tmp_path / "cache" / "published" / "biggan" / "biggan-deep-128.safetensors"
    server.files |= {weights: given.read_bytes(), config: b"<html>welcome to the hotel</html>"}
    assert cli("info", "biggan-deep-128").code == 2
    assert not place.with_suffix(".bin").exists()
    assert not place.with_suffix(".json").exists()
    server.files[config] = right
    done = cli("sample", "biggan-deep-128", "-n", "1", "--class", "3", "--truncation", ".4", "--out", "x.png")
    assert done.code == 0, done.err
    assert done.err.count("licence") == 1
    asked = len(Handler.asked)
    assert cli("info", "biggan-deep-128").code == 0
    assert len(Handler.asked) == asked
    place.unlink()
    place.with_suffix(".json").write_bytes(right + b" ")
    done = cli("info", "biggan-deep-128")
    assert (done.code, "biggan-deep-128 had" in done.err) == (2, True), done.err
    assert cli("info", "biggan-deep-128").code == 0


def test_no_network_says_where_to_put_the_file(
    server: Server, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANCLI_MIRROR", "http://127.0.0.1:9")
    Path("x.png").touch()
    done = cli("translate", "horse2zebra", "x.png")
    place = tmp_path / "cache" / "published" / "cyclegan" / "horse2zebra.pth"
    assert done.code == 2
    assert "http://127.0.0.1:9/cyclegan/pretrained_models/horse2zebra.pth" in done.err
    assert str(place) in done.err
    torch.save(rendition(lambda: ResNet(4, 9)).state_dict(), place)  # what it says helps
    assert cli("info", "horse2zebra").code == 0


def test_a_missing_file_and_an_ambiguous_name(server: Server, cli: Cli) -> None:
    done = cli("info", "apple2orange")
    assert (done.code, "404" in done.err) == (2, True)
    done = cli("info", "sat2map")
    assert (done.code, "pix2pix/sat2map" in done.err) == (2, True)
    assert cli("info", "horse2zebr").err.count("horse2zebra") == 1
    assert getattr(published.find("pix2pix/sat2map"), "family", None) == "pix2pix"
    assert getattr(published.find("edges2shoes"), "family", None) == "pix2pix"
    assert published.find("cyclegan/edges2shoes") is None
    assert "horse2zebra" in published.names()
    assert "cyclegan/sat2map" in published.names()


def test_they_are_listed(server: Server, cli: Cli) -> None:
    lines = cli("list", "--published").out.splitlines()
    assert f"{server.url}/cyclegan/pretrained_models/horse2zebra.pth" == lines[5].split()[1]
    headings = [line for line in lines if not line.startswith(" ")]
    assert {heading.partition(":")[0] for heading in headings} == {
        "generate images", "translate images", "enlarge images"
    }  # fmt: skip
    assert len(lines) == len(published.names()) + 3
    listed = json.loads(cli("list", "--published", "--json").out)
    assert list(listed) == published.names()
    assert not Handler.asked  # nothing is fetched for it


def test_denoise_blends_two_models(server: Server, cli: Cli, tmp_path: Path) -> None:
    place = "/xinntao/Real-ESRGAN/releases/download/v0.2.5.0/realesr-general{}-x4v3.pth"
    nets = [CompactNet(3, 4, 2, 4) for _ in range(2)]
    for net, kind in zip(nets, ("", "-wdn")):
        torch.save({"params": net.state_dict()}, tmp_path / "net.pth")
        server.files[place.format(kind)] = (tmp_path / "net.pth").read_bytes()
    Image.effect_noise((24, 24), 99).convert("RGB").save("in.png")
    drawn = {}
    for share in ("0", "0.25", "1", None):
        done = cli(
            "translate", "realesr-general-x4v3", "in.png", "--overwrite", *(["--denoise", share] if share else [])
        )
        assert done.code == 0, done.err
        with Image.open("in.realesr-general-x4v3.png") as image:
            drawn[share] = np.asarray(image).astype(int)
    for own, its in zip(nets[0].parameters(), nets[1].parameters()):
        own.data.lerp_(its.data, 0.75)
    with Image.open("in.png") as image, torch.no_grad():
        expected = to_pixels(nets[0]((to_tensor(image, 3) + 1) / 2) * 2 - 1)[0]
    assert np.abs(drawn["0.25"] - expected).max() <= 1
    assert (drawn["1"] == drawn[None]).all()
    assert np.abs(drawn["0"] - drawn["1"]).max() > 3
    torch.save({"params": nets[1].state_dict()}, tmp_path / "other.pth")
    assert cli("import", "other.pth").code == 0
    done = cli("translate", "other", "in.png", "--denoise", "0.5")
    assert (done.code, "realesr-general-x4v3" in done.err) == (2, True), done.err
