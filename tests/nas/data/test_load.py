from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nas.data import ImageOptions, ImageSet, open_source
from nas.data.facts import Facts
from search_spaces.errors import DataError
from tests.nas.data.conftest import load


def test_digits_are_those_of_scikit_learn() -> None:
    images, expected = load("digits", ImageOptions(8)), load_digits()
    assert images.classes == tuple("0123456789")
    np.testing.assert_array_equal(images.labels, expected.target)
    np.testing.assert_allclose(images.images[:, 1], expected.images * 255 / 16, atol=0.5)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(DataError, match=r"a\.csv: images come from .* got a file of type '\.csv'"):
        open_source(tmp_path / "a.csv")


def image_set(**changes: object) -> ImageSet:
    values = {
        "images": np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 2, 2),
        "labels": np.array([0, 1], np.int64),
        "classes": ("a", "b"),
    }
    return ImageSet(**(values | changes))  # type: ignore[arg-type]


def test_the_fingerprint_sees_pixels_labels_and_names() -> None:
    base = image_set()
    assert base.fingerprint == image_set().fingerprint
    changed = base.images.copy()
    changed[0, 0, 0, 0] += 1
    others = [
        image_set(images=changed),
        image_set(images=base.images.reshape(2, 3, 1, 4)),
        image_set(labels=np.array([1, 0], np.int64)),
        image_set(classes=("a", "c")),
        image_set(images=base.images[:1], labels=base.labels[:1]),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_a_pass_over_pixels_is_made_a_few_at_a_time() -> None:
    count = 600  # more than two steps
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 4), np.uint8)
    labels = np.arange(count) % 2
    images = ImageSet(pixels, labels, ("a", "b"))
    whole = repr(((count, 3, 4, 4), ("a", "b"))).encode() + pixels.tobytes()
    assert images.fingerprint == hashlib.sha256(whole + labels.astype("<i8").tobytes()).hexdigest()
    expected = [np.bincount(pixels[:, channel].ravel(), minlength=256) for channel in range(3)]
    np.testing.assert_array_equal(images.histogram, expected)
    known = Facts("told", np.zeros((3, 256), np.int64))
    told = ImageSet(pixels, labels, ("a", "b"), known)
    assert told.fingerprint == "told" and told.histogram.sum() == 0


def test_image_sets_check_themselves() -> None:
    base = image_set()
    assert (len(base), base.size) == (2, 2)
    with pytest.raises(DataError, match="uint8"):
        image_set(images=base.images.astype(float))
    with pytest.raises(DataError, match="one an image"):
        image_set(labels=np.array([0], np.int64))
    with pytest.raises(DataError, match=r"0\.\.1 .* got 0\.\.2"):
        image_set(labels=np.array([0, 2], np.int64))
