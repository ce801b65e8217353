"""More than 1 % of broken files stop a command, which says the rule and --skip-broken; with that, they are skipped."""

from pathlib import Path

import pytest

from tests.conftest import Cli, noise_images

QUICK = ("--steps", 1, "--batch", 4, "--width", 4, "--metrics", "none")
RULE = "1 of 29 images cannot be read: x.png"
WAY_OUT = "at most 1% of the images may be skipped: remove such files, or give --skip-broken"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """28 images, and a file that is none."""
    folder = noise_images(tmp_path / "data", 28)
    (folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@pytest.mark.usefixtures("own_cache")
def test_one_broken_file_of_29(cli: Cli, data: Path) -> None:
    for _ in range(2):  # the second time, with --skip-broken's images in the cache
        refused = cli("train", "gan", "--data", data, *QUICK)
        assert refused.code == 2
        assert RULE in refused.err
        assert WAY_OUT in refused.err
        assert len(refused.err.splitlines()) == 1
        assert not Path("runs").exists()
        trained = cli("train", "gan", "--data", data, *QUICK, "--skip-broken", "--dry-run")
        assert trained.code == 0, trained.err
        assert "skipped 1 unreadable: x.png" in trained.out


def test_it_trains_and_resumes(cli: Cli, data: Path) -> None:
    words = ("train", "gan", "--data", data, *QUICK, "--skip-broken", "--out", "x")
    assert cli(*words).code == 0
    again = cli(*words[:4], *QUICK[2:], "--steps", 2, "--skip-broken", "--out", "x", "--resume")
    assert again.code == 0, again.err


def test_both_domains_of_a_translator(cli: Cli, data: Path) -> None:
    noise_images(Path("other"), 28)
    words = ("train", "cyclegan", "--data", "other", "--data-b", data, *QUICK, "--size", 16)
    assert RULE in cli(*words).err
    assert cli(*words, "--skip-broken", "--dry-run").code == 0


def test_nothing_but_broken_files_is_an_error_all_the_same(cli: Cli, data: Path) -> None:
    for path in data.glob("0*"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    refused = cli("train", "gan", "--data", data, *QUICK, "--size", 8, "--channels", 3, "--skip-broken")
    assert refused.code == 2
    assert "29 of 29 images cannot be read" in refused.err
    assert "--skip-broken" not in refused.err


def test_scores_follow_the_same_rule(cli: Cli, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.evaluation.extractors import local

    monkeypatch.setattr(local, "STEPS", 2)
    noise_images(Path("fake"), 28)
    words = ("eval", "fake", "--data", data, "--extractor", "local", "--metrics", "fid")
    for _ in range(2):
        refused = cli(*words)
        assert (refused.code, WAY_OUT in refused.err) == (2, True)
        scored = cli(*words, "--skip-broken")
        assert scored.code == 0, scored.err
        assert "skipped 1 unreadable: x.png" in scored.err
