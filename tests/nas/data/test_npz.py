from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.data import ImageOptions, open_source
from search_spaces.errors import DataError
from tests.nas.data.conftest import load

OPTIONS = ImageOptions(8)
LABELS = np.array([0, 1, 1])


def pixels(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def saved(tmp_path: Path, **arrays: Any) -> Path:
    np.savez(tmp_path / "x.npz", **arrays)
    return tmp_path / "x.npz"


def test_every_layout_gives_the_same_images(tmp_path: Path) -> None:
    last = pixels(3, 8, 8, 3)
    first = last.transpose(0, 3, 1, 2)
    for layout in (last, first):
        images = load(saved(tmp_path, images=layout, labels=LABELS), OPTIONS)
        np.testing.assert_array_equal(images.images, first)
    grey = pixels(3, 8, 8)
    for layout in (grey, grey[..., None], grey[:, None]):
        images = load(saved(tmp_path, images=layout, labels=LABELS), OPTIONS)
        np.testing.assert_array_equal(images.images, np.repeat(grey[:, None], 3, 1))


def test_the_fourth_channel_is_opacity(tmp_path: Path) -> None:
    images = load(saved(tmp_path, images=np.zeros((3, 8, 8, 4), np.uint8), labels=LABELS), OPTIONS)
    assert images.images.min() == 255


def test_train_val_test_and_names(tmp_path: Path) -> None:
    arrays = {f"x_{part}": pixels(3, 8, 8) for part in ("train", "val", "test")}
    arrays |= {f"y_{part}": LABELS[:, None] for part in ("train", "val", "test")}
    source = open_source(saved(tmp_path, classes=["cat", "dog"], **arrays))
    assert set(source.parts) == {"train", "val", "test"}
    assert source.classes == ("cat", "dog")
    assert source.parts["val"].labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 127.6, 255.0], np.float32), [0, 128, 255]),
        (np.array([0, 32896, 65535], np.uint16), [0, 128, 255]),
    ],
)
def test_ranges(tmp_path: Path, values: np.ndarray[Any, Any], expected: list[int]) -> None:
    array = np.broadcast_to(values[:, None, None], (3, 8, 8))
    images = load(saved(tmp_path, images=array, labels=LABELS), OPTIONS)
    assert images.images[:, 0, 0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("arrays", "rule"),
    [
        ({"x": np.zeros(3)}, "images and labels, or x_train and y_train, are needed, found x"),
        ({"images": np.zeros((3, 8)), "labels": LABELS}, r"images must be \[N, H, W\]"),
        ({"images": np.zeros((3, 8, 8, 2)), "labels": LABELS}, "1, 3 or 4 channels"),
        ({"images": np.zeros((3, 8, 8), np.int64), "labels": LABELS}, "got int64"),
        ({"images": np.zeros((2, 8, 8)), "labels": LABELS}, "2 images but 3 labels"),
        ({"images": np.full((3, 8, 8), np.nan), "labels": LABELS}, "NaN"),
        ({"images": np.full((3, 8, 8), -0.1), "labels": LABELS}, r"got -0\.1\.\.0"),
        ({"images": np.full((3, 8, 8), 256.0), "labels": LABELS}, r"got 0\.\.256"),
        ({"images": np.zeros((3, 8, 8)), "labels": LABELS * 0.5}, "labels must be integers"),
        ({"images": np.zeros((3, 8, 8)), "labels": np.eye(3, dtype=int)}, "labels must be"),
        ({"images": np.zeros((3, 8, 8)), "labels": LABELS - 1}, "label -1|two classes"),
        ({"images": np.zeros((3, 8, 8)), "labels": LABELS * 0}, "two classes"),
        ({"images": np.zeros((0, 8, 8)), "labels": LABELS[:0]}, "two classes"),
        (
            {"images": np.zeros((3, 8, 8)), "labels": LABELS, "classes": ["a", "a"]},
            "class names must differ",
        ),
    ],
)
def test_refused(tmp_path: Path, arrays: dict[str, Any], rule: str) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(DataError, match=rule) as caught:
        open_source(path)
    assert str(path) in str(caught.value)


def test_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as \.npz"):
        open_source(path)
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as \.npz"):
        open_source(path)
    np.savez(path, images=pixels(3, 8, 8), labels=LABELS)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as \.npz"):
        open_source(path)
    np.savez(path, images=np.array([{}], object), labels=LABELS)
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as \.npz"):
        open_source(path)
