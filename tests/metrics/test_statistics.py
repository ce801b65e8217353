"""Files of statistics: our own and those of other tools, without running what is pickled in them."""

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.errors import UserError
from gancli.evaluation import stats_files
from gancli.metrics.features import Features, Moments


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_statistics_of_other_tools_are_read_and_written(tmp_path: Path, suffix: str) -> None:
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    path = tmp_path / f"stats{suffix}"
    stats_files.write(path, Features.of(rows), {"extractor": "x"})
    read, said = stats_files.read(path)
    torch.testing.assert_close(read.moments.covariance, Moments.of(rows).covariance)
    torch.testing.assert_close(read.moments.mean, rows.double().mean(0))
    assert said == {"extractor": "x"}
    if suffix == ".npz":
        assert set(np.load(path)) >= {"mu", "sigma"}


def test_sums_of_stylegan_are_read_and_code_in_their_pickle_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.random.default_rng(0).standard_normal((50, 4))
    sums = {"num_items": 50, "raw_mean": rows.sum(0), "raw_cov": rows.T @ rows, "all_features": None}
    for protocol in range(6):
        (tmp_path / "stats.pkl").write_bytes(pickle.dumps(sums, protocol))
        read, said = stats_files.read(tmp_path / "stats.pkl")
        np.testing.assert_allclose(read.moments.covariance, np.cov(rows.T, bias=True))
        np.testing.assert_allclose(read.moments.mean, rows.mean(0))
        assert said is None
    (tmp_path / "stats.pkl").write_bytes(pickle.dumps({"mu": rows.mean(0), "sigma": np.cov(rows.T)}))
    np.testing.assert_allclose(stats_files.read(tmp_path / "stats.pkl")[0].moments.covariance, np.cov(rows.T))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"raw_mean": print}, r"raw_mean is builtins\.print, not an array"),
        ({"raw_mean": [0.0] * 4}, "raw_mean is list, not an array"),
        ({"raw_mean": np.zeros(100_000)}, "do not match"),  # whose outer product would be 80 GB
        ({"raw_cov": np.zeros(4)}, "do not match"),
        ({"raw_cov": np.full((4, 4), np.nan)}, "not finite"),
        ({"raw_mean": np.full(4, 1e308)}, "not finite"),  # and no warning that their product is none
        ({"num_items": 0}, "num_items is not a positive number"),
        ({"num_items": float("nan")}, "num_items is not a positive number"),
        ({"num_items": "50"}, "num_items is not a positive number"),
        ({"mu": print}, r"mu is builtins\.print"),
    ],
)
def test_wrong_sums_of_stylegan_are_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    sums = {"num_items": 50, "raw_mean": np.zeros(4), "raw_cov": np.eye(4)}
    (tmp_path / "stats.pkl").write_bytes(pickle.dumps(sums | change))
    with pytest.raises(UserError, match=says):
        stats_files.read(tmp_path / "stats.pkl")
    (tmp_path / "stats.pkl").write_bytes(pickle.dumps(sums)[:-20])
    with pytest.raises(UserError, match="does not contain mu and sigma"):
        stats_files.read(tmp_path / "stats.pkl")


def test_packed_arrays_that_are_damaged_are_one_line(tmp_path: Path) -> None:
    path, rows = tmp_path / "stats.npz", np.random.default_rng(0).standard_normal((99, 9))
    np.savez_compressed(path, mu=rows.mean(0), sigma=np.cov(rows.T))
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes(b ^ 0xFF for b in whole[place : place + 3]) + whole[place + 3 :])
        with contextlib.suppress(UserError):
            stats_files.read(path)


@pytest.mark.parametrize(
    "said", ["[]", "1", '"x"', '{"real": 3}', '{"real": {"images": "x"}}', '{"extractor": []}', "{"]
)
def test_what_is_said_of_statistics_has_its_types(tmp_path: Path, said: str) -> None:
    np.savez(tmp_path / "stats.npz", mu=np.zeros(2), sigma=np.eye(2), protocol=np.array(said))
    with pytest.raises(UserError, match="does not contain mu and sigma"):
        stats_files.read(tmp_path / "stats.npz")
