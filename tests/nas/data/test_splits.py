from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

from nas.data import ImageOptions, Part, load_splits, stratified
from search_spaces.errors import ConfigError, DataError
from tests.nas.data.conftest import load

Writer = Callable[..., Path]
OPTIONS = ImageOptions(8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def names(count: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(count))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(2, 200), min_size=2, max_size=8),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 100),
)
def test_every_class_is_in_both_parts(counts: list[int], fraction: float, seed: int) -> None:
    labels = rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    kept, held = stratified(labels, fraction, rng(seed), names(len(counts)))
    assert sorted([*kept, *held]) == list(range(len(labels)))
    held_counts = np.bincount(labels[held], minlength=len(counts))
    assert (held_counts >= 1).all()
    assert (held_counts < counts).all()
    inside = (np.array(counts) * fraction >= 1) & (np.array(counts) * (1 - fraction) >= 1)
    assert (abs(held_counts - np.array(counts) * fraction) <= 0.5 + 1e-9)[inside].all()


def test_counts_agree_with_scikit_learn() -> None:
    labels = np.repeat(np.arange(4), [500, 100, 37, 10])
    splitter = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
    _, expected = next(splitter.split(labels[:, None], labels))
    _, held = stratified(labels, 0.2, rng(), names(4))
    difference = np.bincount(labels[held]) - np.bincount(labels[expected])
    assert abs(difference).max() <= 1


def test_the_seed_decides() -> None:
    labels = np.repeat(np.arange(2), 50)
    one, two, other = (stratified(labels, 0.3, rng(s), names(2))[1] for s in (1, 1, 2))
    assert one.tolist() == two.tolist() != other.tolist()


def test_a_class_that_cannot_be_divided(class_folders: Writer) -> None:
    root = class_folders({"many": 10, "lone": 1})
    with pytest.raises(DataError, match=r"images: class 'lone' has 1 image left to divide"):
        load_splits(root, OPTIONS, 0.2, 0.2, rng())
    with pytest.raises(ConfigError, match=r"more than 0 and less than 1, got 1\.0"):
        stratified(np.array([0, 1]), 1.0, rng(), names(2))


def test_without_a_test_part_three_disjoint_parts(class_folders: Writer) -> None:
    root = class_folders({"a": 30, "b": 10})
    splits = load_splits(root, OPTIONS, 0.25, 0.2, rng())
    parts = (splits.train, splits.val, splits.test())
    assert [np.bincount(part.labels).tolist() for part in parts] == [[18, 6], [6, 2], [6, 2]]
    seen = {image.tobytes() for part in parts for image in part.images}
    assert len(seen) == 40
    assert splits.test().fingerprint == parts[2].fingerprint


def test_a_given_test_part_is_read_when_it_is_asked_for(
    class_folders: Writer, tmp_path: Path
) -> None:
    class_folders({"a": 10, "b": 10}, tmp_path / "set" / "train")
    test = class_folders({"a": 2, "b": 2}, tmp_path / "set" / "test")
    (test / "a" / "bad.png").write_bytes(b"junk")
    splits = load_splits(tmp_path / "set", OPTIONS, 0.2, 0.2, rng())
    assert (len(splits.train), len(splits.val)) == (16, 4)
    with pytest.raises(DataError, match=r"bad\.png"):
        splits.test()
    (test / "a" / "bad.png").unlink()


def test_given_validation_and_test_parts_are_used_as_they_are(
    class_folders: Writer, tmp_path: Path
) -> None:
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        class_folders({"a": count, "b": count}, tmp_path / "set" / part)
    splits = load_splits(tmp_path / "set", OPTIONS, 0.2, 0.2, rng())
    assert [len(s) for s in (splits.train, splits.val, splits.test())] == [10, 6, 4]
    expected = load(tmp_path / "set", OPTIONS, "val").fingerprint
    assert splits.val.fingerprint == expected


def test_labels_are_divided_as_images_would_be(class_folders: Writer) -> None:
    root = class_folders({"a": 30, "b": 10, "c": 7})
    whole, draws = load(root, OPTIONS), rng(3)
    rest, test = stratified(whole.labels, 0.2, draws, whole.classes)
    train, val = stratified(whole.labels[rest], 0.3, draws, whole.classes)
    splits = load_splits(root, OPTIONS, 0.3, 0.2, rng(3))
    for found, indices in (
        (splits.train, rest[train]),
        (splits.val, rest[val]),
        (splits.test(), test),
    ):
        np.testing.assert_array_equal(found.images, whole.images[indices])
        np.testing.assert_array_equal(found.labels, whole.labels[indices])


def test_a_damaged_test_image_is_named_before_training(
    class_folders: Writer, tmp_path: Path
) -> None:
    root = class_folders({"a": 10, "b": 10})
    whole = load(root, OPTIONS)
    _, held = stratified(whole.labels, 0.2, rng(), whole.classes)
    damaged = sorted(root.rglob("*.png"))[held[1]]
    damaged.write_bytes(b"junk")
    for cache in (None, tmp_path / "cache"):
        with pytest.raises(DataError, match=f"{damaged.name}: is not an image"):
            load_splits(root, OPTIONS, 0.2, 0.2, rng(), cache, check_test=True)
    splits = load_splits(root, OPTIONS, 0.2, 0.2, rng())
    with pytest.raises(DataError, match=f"{damaged.name}: is not an image"):
        splits.test()


def test_test_images_that_are_checked_are_let_go_of(
    class_folders: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders({"a": 30, "b": 30})
    seen: list[int] = []

    def pieces(part: Part, indices: NDArray[np.int64], *others: Any) -> Iterator[None]:
        seen.append(len(indices))
        yield None

    monkeypatch.setattr("nas.data.splits.decoded", pieces)
    before = load_splits(root, OPTIONS, 0.25, 0.2, rng())
    assert seen == []
    checked = load_splits(root, OPTIONS, 0.25, 0.2, rng(), check_test=True)
    assert seen == [12] and checked.train.fingerprint == before.train.fingerprint
