"""`gancli eval` on points, which have modes and no features, and class by class, with the names of the classes."""

import re
from pathlib import Path

import pytest
import torch

from gancli.errors import UserError
from gancli.evaluation import evaluate
from gancli.evaluation.class_names import check_classes
from gancli.evaluation.image_sets import Arrays
from tests.conftest import Cli, Trained
from tests.evaluation.reports import labelled, report

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def ring(cli: Cli) -> Path:
    """A run on points, that says its score."""
    words = ("train", "gan", "--data", "ring8", "--steps", 2, "--batch", 4, "--width", 4, "--quiet", "--out", "ring")
    assert cli(*words).code == 0
    return Path("ring")


def test_a_run_on_points_is_scored_by_their_modes(cli: Cli, ring: Path) -> None:
    told = cli("eval", ring, "--data", "ring8", "--metrics", "shapes", "-n", 250)
    assert told.code == 0, told.err
    assert "modes hit" in told.out
    assert "the modes of ring8" in told.out
    found = report(cli, ring, "--data", "ring8", "--metrics", "shapes", "-n", 250)
    assert set(found["metrics"]) == {"modes_hit", "share_within_3_sigma"}
    assert found["protocol"]["generated"]["images"] == 250
    assert found == report(cli, ring, "--data", "ring8", "--metrics", "shapes", "-n", 250)


def test_what_points_have_not_is_one_line_that_names_what_to_give(cli: Cli, ring: Path, pictures: Path) -> None:
    for words, said in [
        ((ring, "--data", "ring8"), "ring generates points, which have no features: give --metrics shapes"),
        ((ring, "--data", "swissroll", "--metrics", "shapes"), "give --data ring8 or grid25"),
        ((ring, "--data", pictures, "--metrics", "shapes"), "give --data ring8 or grid25"),
        ((pictures, "--data", "ring8"), "is a set of points, but"),
    ]:
        result = cli("eval", *words)
        assert result.code == 2
        assert said in result.err
        assert "--size" not in result.err  # which nobody gave
        assert len(result.err.splitlines()) == 1


def test_the_table_names_the_classes_and_scripts_find_them_in_the_protocol(cli: Cli, tmp_path: Path) -> None:
    fake, real = labelled(tmp_path / "fake", "cats", "big dogs"), labelled(tmp_path / "real", "cats", "big dogs")
    told = cli("eval", fake, "--data", real, "--metrics", "fid-per-class", "--extractor", "local")
    assert told.code == 0, told.err
    assert re.search(r"frechet class big dogs +frechet class cats", told.out)
    found = report(cli, fake, "--data", real, "--metrics", "fid-per-class")
    assert list(found["metrics"]) == ["frechet_class_0", "frechet_class_1"]
    assert found["protocol"]["classes"] == ["big dogs", "cats"]


def test_other_classes_are_refused_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained
) -> None:
    """Their numbers would be compared otherwise: birds with cats."""
    monkeypatch.setattr(evaluate, "make_extractor", lambda *_, **__: pytest.fail("it began"))
    fake, real = labelled(tmp_path / "fake", "birds", "cats"), labelled(tmp_path / "real", "cats", "dogs")
    result = cli("eval", fake, "--data", real, "--metrics", "fid-per-class")
    assert result.code == 2
    assert "fake has the classes birds, cats; real has cats, dogs" in result.err


def side(labels: list[int], *classes: str) -> Arrays:
    images = torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8)
    return Arrays("x", images, labels=torch.tensor(labels), classes=classes)


def test_too_few_of_every_class_are_refused_before_any_work() -> None:
    with pytest.raises(UserError, match="no class has at least two real and two generated images"):
        check_classes(side([0, 0, 1]), side([0, 1, 1, 2, 2]))
    with pytest.raises(UserError, match="no class"):
        check_classes(side([-1, -1]), side([0, 0]))
    check_classes(side([0, 0, 1]), side([0, 0, 2]))


def test_classes_without_names_are_compared_by_number() -> None:
    """As those of an array of labels that gancli sample wrote."""
    check_classes(side([0, 0], "0", "1"), side([0, 0], "cats", "dogs"))
    check_classes(side([0, 0]), side([0, 0], "cats", "dogs"))
