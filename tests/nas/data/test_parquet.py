from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nas.data import ImageOptions, open_source
from search_spaces.errors import DataError
from tests.nas.data.conftest import load

OPTIONS = ImageOptions(8)


def png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (value, value, value)).save(stream, "PNG")
    return stream.getvalue()


def write(
    path: Path,
    labels: list[Any],
    names: list[str] | None = None,
    columns: tuple[str, str] = ("image", "label"),
    images: list[Any] | None = None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = images or [{"bytes": png(i), "path": None} for i in range(len(labels))]
    table = pa.table({columns[0]: images, columns[1]: labels, "id": list(range(len(labels)))})
    if names:
        features = {columns[1]: {"names": names, "_type": "ClassLabel"}}
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    pq.write_table(table, path)


def test_folder_with_names_from_the_metadata(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1, 1], ["cat", "dog"])
    write(tmp_path / "test.parquet", [1])
    images = load(tmp_path, OPTIONS)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 1, 1]
    assert images.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert load(tmp_path, OPTIONS, "test").labels.tolist() == [1]


def test_shards_are_read_in_order_and_named_in_errors(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train-00001-of-00002.parquet", [1], columns=("img", "labels"))
    write(tmp_path / "data" / "train-00000-of-00002.parquet", [0, 2], columns=("img", "labels"))
    write(tmp_path / "data" / "validation-00000-of-00001.parquet", [0])
    source = open_source(tmp_path)
    assert source.classes == ("0", "1", "2")
    assert source.parts["train"].labels.tolist() == [0, 2, 1]
    assert source.parts["train"].where(2).endswith("train-00001-of-00002.parquet, row 0")
    assert set(source.parts) == {"train", "test"}


def test_a_single_file_with_plain_bytes_and_text_labels(tmp_path: Path) -> None:
    write(tmp_path / "x.parquet", ["dog", "cat", "dog"], images=[png(1), png(2), png(3)])
    images = load(tmp_path / "x.parquet", OPTIONS)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [1, 0, 1]


def test_text_labels_follow_the_metadata_and_the_training_part(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", ["dog", "cat"])
    write(tmp_path / "test.parquet", ["bird"])
    with pytest.raises(DataError, match="class 'bird' has no training images"):
        open_source(tmp_path)


def test_images_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(7))
    rows = [{"bytes": None, "path": "a.png"}, {"bytes": png(9), "path": "b.png"}]
    write(tmp_path / "train.parquet", [0, 1], images=rows)
    assert load(tmp_path, OPTIONS).images[:, 0, 0, 0].tolist() == [7, 9]


def test_damaged_and_empty_images_are_named(tmp_path: Path) -> None:
    bad = [{"bytes": png(0), "path": None}, {"bytes": b"junk", "path": None}]
    write(tmp_path / "train.parquet", [0, 1], images=bad)
    with pytest.raises(DataError, match=r"train\.parquet, row 1: is not an image"):
        load(tmp_path, OPTIONS)
    bad[1] = {"bytes": None, "path": None}  # type: ignore[dict-item]
    write(tmp_path / "train.parquet", [0, 1], images=bad)
    with pytest.raises(DataError, match=r"train\.parquet, row 1: the image is empty"):
        load(tmp_path, OPTIONS)


def test_columns_and_types(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write(path, [0, 1], columns=("picture", "label"))
    with pytest.raises(DataError, match="a column named image or img is needed, found picture"):
        open_source(path)
    write(path, [0, 1], columns=("image", "target"))
    with pytest.raises(DataError, match="a column named label or labels"):
        open_source(path)
    write(path, [0.5, 1.5])
    with pytest.raises(DataError, match="integers or strings, got double"):
        open_source(path)
    write(path, [0, None])
    with pytest.raises(DataError, match="1 images have no label"):
        open_source(path)
    write(path, [0, 1], images=["a.png", "b.png"])
    with pytest.raises(DataError, match="encoded images .* got string"):
        open_source(path)


def test_labels_out_of_range_and_missing_classes(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write(path, [0, 1, 2], ["cat", "dog"])
    with pytest.raises(DataError, match=r"row 2: label 2 is outside 0\.\.1"):
        open_source(path)
    write(path, [0, -1])
    with pytest.raises(DataError, match="at least two classes|label -1 is outside"):
        open_source(path)
    write(path, [0, 2])
    with pytest.raises(DataError, match="class '1' has no training images"):
        open_source(path)


def test_not_parquet_and_no_training_part(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"train\.parquet: cannot be read as Parquet"):
        open_source(tmp_path)
    write(tmp_path / "other" / "test.parquet", [0, 1])
    with pytest.raises(DataError, match=r"train\.parquet or train-\*.* needed, found test"):
        open_source(tmp_path / "other")


def test_cifar10(shared_data: Path) -> None:
    source = open_source(shared_data / "cifar10")
    assert source.classes[:2] == ("airplane", "automobile")
    assert [len(source.parts[name]) for name in ("train", "test")] == [50_000, 10_000]
    counts = np.bincount(source.parts["test"].labels)
    assert counts.tolist() == [1000] * 10
    assert source.parts["train"].open(49_999).size == (32, 32)
