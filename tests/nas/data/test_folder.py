from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import ImageOptions, open_source
from search_spaces.errors import DataError
from tests.nas.data.conftest import load

Writer = Callable[..., Path]
OPTIONS = ImageOptions(8)


def test_reads_classes_in_order_of_name(class_folders: Writer) -> None:
    root = class_folders({"dog": 2, "cat": 3})
    images = load(root, OPTIONS)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 0, 1, 1]
    first = np.asarray(Image.open(root / "cat" / "000.png"))
    np.testing.assert_array_equal(images.images[0], first.transpose(2, 0, 1))


def test_train_val_and_test_folders(class_folders: Writer, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        class_folders({"a": count, "b": count}, root / part)
    assert {k: len(v) for k, v in open_source(root).parts.items()} == {
        "train": 6,
        "val": 4,
        "test": 2,
    }


def test_validation_without_test_is_the_test_part(class_folders: Writer, tmp_path: Path) -> None:
    for part in ("train", "val"):
        class_folders({"a": 2, "b": 2}, tmp_path / "set" / part)
    assert set(open_source(tmp_path / "set").parts) == {"train", "test"}


def test_nested_folders_notes_and_hidden_files(class_folders: Writer) -> None:
    root = class_folders({"a": 1, "b": 1})
    (root / "a" / "deep").mkdir()
    os.rename(root / "a" / "000.png", root / "a" / "deep" / "x.PNG")
    for litter in ("a/notes.txt", "a/.hidden.png", "a/Thumbs.db", "README.md"):
        (root / litter).write_text("no image")
    (root / ".git").mkdir()
    assert len(load(root, OPTIONS)) == 2


def test_missing_and_empty_folders(class_folders: Writer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing: no such file or folder"):
        open_source(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no class folders"):
        open_source(tmp_path / "empty")
    root = class_folders({"a": 2, "b": 2})
    (root / "c").mkdir()
    with pytest.raises(DataError, match=r"images/c: class 'c' has no images"):
        open_source(root)
    for part in ("train", "test"):
        (tmp_path / "set" / part).mkdir(parents=True)
    with pytest.raises(DataError, match="set/train: no class folders"):
        open_source(tmp_path / "set")
    class_folders({"a": 2, "b": 2}, tmp_path / "set" / "train" / ".." / "train")
    with pytest.raises(DataError, match="set/test: no class folders"):
        open_source(tmp_path / "set")


def test_fewer_than_two_classes(class_folders: Writer) -> None:
    with pytest.raises(DataError, match="at least two classes are needed, found a"):
        open_source(class_folders({"a": 2}))


def test_a_class_of_the_test_part_only(class_folders: Writer, tmp_path: Path) -> None:
    class_folders({"a": 2, "b": 2}, tmp_path / "set" / "train")
    class_folders({"a": 2, "z": 2}, tmp_path / "set" / "test")
    with pytest.raises(DataError, match="set/test/z: class 'z' has no training images"):
        open_source(tmp_path / "set")


def test_a_truncated_image_is_named(class_folders: Writer) -> None:
    root = class_folders({"a": 2, "b": 2})
    bad = root / "b" / "001.png"
    bad.write_bytes(bad.read_bytes()[:120])
    with pytest.raises(DataError, match=r"b/001\.png: cannot be read as an image \("):
        load(root, OPTIONS)


def test_a_file_that_is_no_image_is_named(class_folders: Writer) -> None:
    root = class_folders({"a": 2, "b": 2})
    (root / "a" / "picture.heic").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"a/picture\.heic: is not an image of a known format"):
        load(root, OPTIONS)


def test_an_unreadable_file_is_named(class_folders: Writer) -> None:
    root = class_folders({"a": 2, "b": 2})
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    with pytest.raises(DataError, match=r"a/gone\.png: cannot be read as an image \(No such file"):
        load(root, OPTIONS)


def test_an_unreadable_folder_is_named(
    class_folders: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders({"a": 2, "b": 2})
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    # Permissions do not bind root, who may run the tests.
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"/b: cannot be read \(Permission denied\)"):
        open_source(root)


def test_a_float_image_is_refused_with_its_path(class_folders: Writer) -> None:
    root = class_folders({"a": 2, "b": 2})
    Image.new("F", (8, 8)).save(root / "a" / "deep.tiff")
    with pytest.raises(DataError, match=r"deep\.tiff: pixels must be integers"):
        load(root, OPTIONS)


def test_an_unreadable_root_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def iterdir(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        open_source(tmp_path)
