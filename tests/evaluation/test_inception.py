"""Our pipeline against torch-fidelity itself, with one file of random weights."""

import http.server
import io
import json
import os
import pickle
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.errors import UserError
from gancli.evaluation.extractors import weights
from gancli.evaluation.extractors.inception import Inception, resized
from gancli.metrics import fid, prdc
from gancli.metrics.features import Features
from gancli.metrics.inception_score import inception_score
from gancli.metrics.kid import kid
from gancli.system import cache
from tests import children
from tests.conftest import Cli

CPU = torch.device("cpu")


def tf():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch_fidelity.feature_extractor_inceptionv3 as module
    return module


def random_weights(path: Path) -> Path:
    """A file of the network's shape: random, and scaled so that features depend on the image."""
    module = tf()
    generator = torch.Generator().manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *a, **k: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *a, **k: None)
        state = module.FeatureExtractorInceptionV3("x", ["2048"]).state_dict()
    for name, value in state.items():
        if value.dim() == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("bn.bias", "running_mean")):
            value.normal_(0, 0.1, generator=generator)
        elif name.endswith(("bn.weight", "running_var")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.dim() == 2:
            value.normal_(0, 0.05, generator=generator)
    torch.save(state, path)
    return path


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_weights(tmp_path_factory.mktemp("weights") / "random.pth")


@pytest.fixture(scope="session")
def inception(weights_file: Path) -> Inception:
    return Inception(weights_file, CPU)


def images(n: int, seed: int, side: int = 32) -> Tensor:
    """Blocks of colour: unlike noise, they differ from each other after pooling."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 3, 4, 4), np.uint8)
    return torch.from_numpy(coarse.repeat(side // 4, 2).repeat(side // 4, 3))


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (64, 64), (100, 80), (299, 299), (512, 512), (28, 300)])
def test_resize_is_bit_equal_to_torch_fidelity(size) -> None:
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    x = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    expected = interpolate_bilinear_2d_like_tensorflow1x(x.float(), size=(299, 299), align_corners=False)
    assert torch.equal(resized(x), expected)


def reference(weights_file: Path, x: Tensor) -> dict[str, Tensor]:
    network = tf().FeatureExtractorInceptionV3(
        "ref", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights_file)
    )
    with torch.inference_mode():
        parts = [network(part) for part in x.split(8)]
    return {name: torch.cat(value) for name, value in zip(("rows", "logits"), zip(*parts))}


def features(network: Inception, x: Tensor) -> Features:
    rows, logits = zip(*(network(part) for part in x.split(network.batch)))
    return Features.of(torch.cat(rows), torch.cat(logits))


def compare_scores(ours: dict[str, Any], theirs: dict[str, dict[str, Tensor]], size: int) -> None:
    """Compare the scores of features that two programs hold."""
    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

    rows_a, rows_b = theirs["fake"]["rows"], theirs["real"]["rows"]
    statistics = [metric_fid.fid_features_to_statistics(rows.double()) for rows in (rows_a, rows_b)]
    distance = metric_fid.fid_statistics_to_metric(statistics[0], statistics[1], False)["frechet_inception_distance"]
    assert fid.frechet(ours["fake"], ours["real"]) == pytest.approx(distance, rel=1e-5)

    quiet = {"verbose": False, "kid_subset_size": size, "kid_subsets": 10}
    expected: Any = metric_isc.isc_features_to_metric(theirs["fake"]["logits"])
    assert inception_score(ours["fake"].logits) == pytest.approx(tuple(expected.values()), rel=1e-6, abs=1e-7)
    expected = metric_kid.kid_features_to_metric(rows_a, rows_b, **quiet)
    found = kid(ours["fake"].rows, ours["real"].rows, subsets=10, size=size)
    assert found == pytest.approx(tuple(expected.values()), rel=1e-3)
    expected = metric_prc.prc_features_to_metric(rows_a, rows_b, **quiet)
    found = prdc.precision_recall(ours["fake"].rows, ours["real"].rows)
    assert found == pytest.approx((expected["precision"], expected["recall"]), abs=2 / len(rows_a))


def test_features_and_logits_are_torch_fidelitys(weights_file: Path, inception: Inception) -> None:
    x = torch.cat([images(1, 1), images(1, 2) // 2 + 60])
    ours, theirs = features(inception, x), reference(weights_file, x)
    torch.testing.assert_close(ours.rows, theirs["rows"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.logits, theirs["logits"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n", "size"), [(60, 16), (20, 64)])
def test_scores_of_the_same_features_are_torch_fidelitys(n: int, size: int) -> None:
    """Of more images than features, and of fewer."""
    dice = torch.Generator().manual_seed(0)
    theirs = {
        side: {"rows": shift + torch.rand(n, size, generator=dice), "logits": torch.randn(n, 1008, generator=dice)}
        for side, shift in (("fake", 0.0), ("real", 0.1))
    }
    ours = {side: Features.of(held["rows"], held["logits"]) for side, held in theirs.items()}
    compare_scores(ours, theirs, n * 4 // 5)


@pytest.mark.slow
def test_500_images_get_torch_fidelitys_numbers(weights_file: Path, inception: Inception) -> None:
    sides = {"fake": images(500, 1), "real": images(500, 2) // 2 + 60}
    theirs = {side: reference(weights_file, x) for side, x in sides.items()}
    compare_scores({side: features(inception, x) for side, x in sides.items()}, theirs, 400)


@pytest.mark.slow
def test_neither_batch_nor_ranks_change_a_number(
    weights_file: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side, seed in (("fake", 1), ("real", 2)):
        np.savez(tmp_path / f"{side}.npz", images=images(70, seed).permute(0, 2, 3, 1).numpy())
    asked = ["eval", tmp_path / "fake.npz", "--data", tmp_path / "real.npz", "--weights", weights_file, "--json"]
    asked += ["--metrics", "fid,is,kid,precision-recall"]
    found = []
    for batch in (1, 7, 64):
        monkeypatch.setattr("gancli.evaluation.extractors.inception.CPU_BATCH", batch)
        monkeypatch.setenv("GANCLI_CACHE", str(tmp_path / f"cache{batch}"))
        found.append(cli(*asked))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "gancli"]
    both = [*launcher, *map(str, asked)]
    done = children.run(both, check=True, timeout=3600, env=os.environ | {"GANCLI_CACHE": str(tmp_path / "both")})
    one, *others = (json.loads(out)["metrics"] for out in [*(result.out for result in found), done.stdout])
    for other in others:
        print(other)
        assert other == pytest.approx(one, rel=1e-5, abs=1e-6)


def test_features_do_not_depend_on_the_batch(inception: Inception) -> None:
    x = images(3, 3)
    whole = inception(x)[0]
    single = torch.cat([inception(image[None])[0] for image in x])
    torch.testing.assert_close(whole, single, rtol=1e-5, atol=1e-5)


def test_fast_is_near_and_says_so(weights_file: Path, inception: Inception) -> None:
    fast = Inception(weights_file, CPU, fast=True)
    assert (fast.precision, inception.precision) == ("bf16", "fp32")
    x = images(2, 4)
    exact, near = inception(x)[0], fast(x)[0]
    assert (near - exact).norm() < 0.03 * exact.norm()
    assert not torch.equal(near, exact)


def test_random_weights_are_not_called_official(inception: Inception, weights_file: Path) -> None:
    assert not inception.official
    assert inception.weights == weights.fingerprint(weights_file)


class Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_pickled_code_is_never_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.pth"
    buffer = io.BytesIO()
    torch.save({"a": Evil()}, buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="does not contain the weights"):
        Inception(path, CPU)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="does not contain the weights"):
        Inception(path, CPU)
    assert "ran" not in capsys.readouterr().out


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(UserError, match=r"other\.pth does not contain the weights of torch-fidelity's Inception"):
        Inception(path, CPU)


# ---------------------------------------------------------------------------------------------- fetching


class Server(http.server.BaseHTTPRequestHandler):
    content: ClassVar[bytes] = b""
    asked: ClassVar[list[int]] = []
    break_at: ClassVar[int | None] = None

    def do_GET(self) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        type(self).asked.append(start)
        rest = self.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.end_headers()
        self.wfile.write(rest[: self.break_at])

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GANCLI_CACHE", str(tmp_path / "cache"))
    cache.root.cache_clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GANCLI_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    Server.content, Server.asked, Server.break_at = bytes(range(256)) * 4000, [], None
    yield Server
    server.shutdown()
    server.server_close()
    cache.root.cache_clear()


def name_of(content: bytes) -> str:
    import hashlib

    return f"w-{hashlib.sha256(content).hexdigest()[:8]}.pth"


def test_a_broken_download_is_gone_on_with(mirror: type[Server]) -> None:
    name = name_of(mirror.content)
    mirror.break_at = 500_000
    path = weights.fetch_weights(name, "https://example.invalid/" + name, "--weights")
    assert path.read_bytes() == mirror.content
    assert mirror.asked == [0, 500_000, 1_000_000]
    assert weights.fetch_weights(name, "https://example.invalid/" + name, "--weights") == path
    assert len(mirror.asked) == 3  # it is there now


def test_a_wrong_file_is_refused_and_thrown_away(mirror: type[Server]) -> None:
    with pytest.raises(UserError, match="sha256"):
        weights.fetch_weights("w-00000000.pth", "https://example.invalid/w", "--weights")
    assert not list((cache.root() / "weights").iterdir())


def test_offline_names_url_and_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANCLI_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/w-12345678\.pth .*put it at .*weights/w-12345678\.pth"):
        weights.fetch_weights("w-12345678.pth", "https://example.invalid/w-12345678.pth", "--weights")
