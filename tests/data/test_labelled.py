"""Labels from every kind of source; rows held out and labels hidden."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.data.dataset import Dataset
from gancli.data.kinds.labelled import (
    UNKNOWN,
    Labelled,
    OptionallyLabelled,
    PartlyLabelled,
    hold_out,
    only_labelled,
    show_labels,
    without_labels,
)
from gancli.data.request import Request
from gancli.errors import UserError
from tests.conftest import noise_images

CPU = torch.device("cpu")


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def npz(path: Path, labels: np.ndarray) -> Path:
    """Write images that are grey as their row, with labels."""
    images = np.broadcast_to(np.arange(len(labels), dtype=np.uint8)[:, None, None], (len(labels), 8, 8))
    np.savez(path, images=images, labels=labels)
    return path


def rows_seen(dataset: Dataset, field: str = "image") -> list[int]:
    """Read from the grey of the images which rows a whole epoch shows."""
    batch = dataset.batch(torch.arange(len(dataset)), CPU)
    return ((getattr(batch, field)[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_a_folder_a_class(tmp_path: Path) -> None:
    for name in ("dog", "cat", "bird"):
        noise_images(tmp_path / name, 4)
    dataset = Labelled.open(Request(str(tmp_path)))
    assert dataset.spec.classes == ("bird", "cat", "dog")
    batch = dataset.batch(torch.arange(12), CPU)
    assert batch.label.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert batch.label.dtype == torch.int64
    assert batch.image.shape == (12, 3, 8, 8)


def test_idx_files(tmp_path: Path) -> None:
    pixels, labels = np.zeros((6, 8, 8), np.uint8), np.array([0, 1, 2, 0, 1, 2], np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    dataset = Labelled.open(Request(str(tmp_path)))
    assert dataset.spec.classes == ("0", "1", "2")
    assert dataset.batch(torch.arange(6), CPU).label.tolist() == labels.tolist()


def test_the_shape_is_the_class_of_the_built_in_shapes() -> None:
    dataset = Labelled.open(Request("shapes-easy"))
    assert dataset.spec.classes[:3] == ("disc", "square", "triangle")
    assert len(dataset.batch(torch.arange(300), CPU).label.unique()) == 12


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    dataset = Labelled.open(Request(str(npz(tmp_path / "a.npz", np.array([0, -1, 1, -1, 0])))))
    assert rows_seen(dataset) == [0, 2, 4]
    assert dataset.batch(torch.arange(3), CPU).label.tolist() == [0, 1, 0]


@pytest.mark.parametrize("kind", [Labelled, PartlyLabelled])
def test_no_labels_is_an_error_that_says_what_would_be_right(kind: type, tmp_path: Path) -> None:
    noise_images(tmp_path / "flat")
    with pytest.raises(UserError, match=r"has no labels.*sub-folder per class"):
        kind.open(Request(str(tmp_path / "flat")))
    with pytest.raises(UserError, match="two or more classes"):
        kind.open(Request(str(npz(tmp_path / "a.npz", np.zeros(5, np.int64)))))


def test_held_out_rows_are_never_trained_on_and_spread_over_sorted_classes(tmp_path: Path) -> None:
    source = npz(tmp_path / "a.npz", np.repeat(np.arange(4), 50))
    for dataset in (hold_out(kind.open(Request(str(source)))) for kind in (Labelled, PartlyLabelled)):
        assert dataset.held_out is not None
        held = set(rows_seen(dataset.held_out))
        assert len(held) == 20
        assert held | set(rows_seen(dataset)) == set(range(200))
        assert not held & set(rows_seen(dataset))
        labels = dataset.held_out.batch(torch.arange(20), CPU).label
        assert len(labels.unique()) == 4
        if dataset.kind is PartlyLabelled:
            assert not held & set(rows_seen(dataset, "example"))


def test_hidden_labels_leave_their_images(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(4), 50)
    dataset = show_labels(PartlyLabelled.open(Request(str(npz(tmp_path / "a.npz", labels)))), 3)
    assert rows_seen(dataset) == list(range(200))
    batch = dataset.batch(torch.arange(200), CPU)
    shown = rows_seen(dataset, "example")
    assert len(set(shown)) == 12
    assert batch.label.tolist() == labels[shown].tolist()
    assert batch.label.bincount().min() >= 45  # 12 examples come round: 50 a class, about


def test_images_without_a_label_are_unlabelled_and_no_examples(tmp_path: Path) -> None:
    dataset = PartlyLabelled.open(Request(str(npz(tmp_path / "a.npz", np.array([-1, 0, -1, 1, -1, -1])))))
    assert rows_seen(dataset) == [0, 1, 2, 3, 4, 5]
    assert set(rows_seen(dataset, "example")) == {1, 3}
    everything = show_labels(dataset, 0)
    assert set(rows_seen(everything, "example")) == {1, 3}


def test_labels_are_optional(tmp_path: Path) -> None:
    """Where a source has none, the images stay; where it has some, those without are left out or kept as unknown."""
    bare = OptionallyLabelled.open(Request(str(noise_images(tmp_path / "bare", 4))))
    assert bare.spec.classes == ()
    assert bare.batch(torch.arange(4), CPU).label.tolist() == [UNKNOWN] * 4
    assert only_labelled(bare) is bare
    some = OptionallyLabelled.open(Request(str(npz(tmp_path / "some.npz", np.array([1, -1, 0, 2, -1])))))
    assert some.spec.classes == ("0", "1", "2")
    assert rows_seen(some) == [0, 1, 2, 3, 4]
    assert rows_seen(only_labelled(some)) == [0, 2, 3]
    assert only_labelled(some).batch(torch.arange(3), CPU).label.tolist() == [1, 0, 2]
    assert any("2 images without a label" in note for note in only_labelled(some).notes)
    without = without_labels(some)
    assert (without.spec.classes, without.digest) == ((), some.digest)
    assert without.batch(torch.arange(5), CPU).label.tolist() == [UNKNOWN] * 5
