"""Images from Parquet in the Hugging Face layout."""

from __future__ import annotations

import functools
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from nas.data.source import PART_NAMES, Part, PartName, Source, name_parts
from search_spaces.errors import DataError

__all__ = ["parquet_files", "read_parquet"]

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels")


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files of a data set: the file itself, or those in the folder or its `data/`."""
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))


def read_parquet(path: Path) -> Source:
    """A source from one Parquet file, or from a folder of `train.parquet`, `test.parquet`.

    Shards (`train-00000-of-00002.parquet`) are read in order. The image column is `image` or
    `img` (a struct `{bytes, path}`, or bytes), the label column `label` or `labels` (integers,
    or strings that name the class). Class names are those of the Hugging Face metadata if it is
    there, else "0", "1", ...

    Raises:
        DataError: not Parquet, a missing column or one of the wrong type, an empty label.
    """
    shards = _shards(path)
    for file in itertools.chain.from_iterable(shards.values()):
        _check(file)
    labels = {
        name: _labels(_column(files, _LABEL_COLUMNS), files[0]) for name, files in shards.items()
    }
    classes = _class_names(shards["train"][0]) or _named_by(labels["train"])
    parts = {
        name: _part(_numbered(labels[name], classes, files[0]), files)
        for name, files in shards.items()
    }
    return Source(str(path), classes, parts)


def _shards(path: Path) -> dict[PartName, list[Path]]:
    files = parquet_files(path)
    if path.is_file():
        return {"train": files}
    named: dict[PartName, list[Path]] = {}
    for file in files:
        prefix = file.stem.split("-")[0]
        if prefix in PART_NAMES:
            named.setdefault(PART_NAMES[prefix], []).append(file)
    if "train" not in named:
        found = ", ".join(file.name for file in files)
        raise DataError(f"{path}: train.parquet or train-*.parquet is needed, found {found}")
    return name_parts(named)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: cannot be read as Parquet ({reason})") from error


def _check(file: Path) -> None:
    with _reading(file):
        schema = pq.read_schema(file)
    _named(schema, _LABEL_COLUMNS, file)
    _check_image_type(schema.field(_named(schema, _IMAGE_COLUMNS, file)).type, file)


def _column(files: Iterable[Path], names: tuple[str, ...]) -> pa.ChunkedArray:
    """The column of one of those names, of all files."""
    tables = []
    for file in files:
        with _reading(file):
            name = _named(pq.read_schema(file), names, file)
            tables.append(pq.read_table(file, columns=[name]).rename_columns(["column"]))
    return pa.concat_tables(tables, promote_options="default").column("column")


def _named(schema: pa.Schema, names: tuple[str, ...], file: Path) -> str:
    for name in names:
        if name in schema.names:
            return name
    raise DataError(
        f"{file}: a column named {' or '.join(names)} is needed, found {', '.join(schema.names)}"
    )


def _check_image_type(kind: pa.DataType, file: Path) -> None:
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise DataError(
            f"{file}: the image column must hold encoded images (bytes, or a struct "
            f"{{bytes, path}}), got {kind}"
        )


def _labels(column: pa.ChunkedArray, file: Path) -> NDArray[Any]:
    kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (pa.types.is_integer(kind) or text):
        raise DataError(f"{file}: labels must be integers or strings, got {kind}")
    if column.null_count:
        raise DataError(f"{file}: {column.null_count} images have no label")
    return np.array(column.to_pylist(), dtype=np.str_ if text else np.int64)


def _class_names(file: Path) -> tuple[str, ...]:
    # From the file: a table loses the metadata when columns are chosen.
    metadata = pq.read_schema(file).metadata or {}
    try:
        info = json.loads(metadata[b"huggingface"])
        features = info["info"]["features"]
        label = next(features[name] for name in _LABEL_COLUMNS if name in features)
        return tuple(str(name) for name in label["names"])
    except (KeyError, StopIteration, TypeError, ValueError):
        return ()  # the metadata is optional, and other writers put other things there


def _named_by(labels: NDArray[Any]) -> tuple[str, ...]:
    if labels.dtype.kind == "U":
        return tuple(str(name) for name in np.unique(labels))
    return tuple(str(number) for number in range(int(labels.max(initial=-1)) + 1))


def _numbered(labels: NDArray[Any], classes: tuple[str, ...], file: Path) -> NDArray[np.int64]:
    if labels.dtype.kind != "U":
        return labels
    number = {name: index for index, name in enumerate(classes)}
    if unknown := sorted(set(labels.tolist()) - set(classes)):
        raise DataError(f"{file}: class {unknown[0]!r} has no training images")
    return np.array([number[name] for name in labels.tolist()], np.int64)


def _part(labels: NDArray[np.int64], files: Iterable[Path]) -> Part:
    rows = [(file, row) for file in files for row in range(pq.read_metadata(file).num_rows)]

    def where(index: int) -> str:
        file, row = rows[index]
        return f"{file}, row {row}"

    @functools.cache
    def images() -> pa.Array:
        # With the first image that is asked for: to look at a data set takes none of them.
        return _column(files, _IMAGE_COLUMNS).combine_chunks()

    def open_row(index: int) -> Image.Image:
        value = images()[index].as_py()
        if isinstance(value, dict):
            content, beside = value["bytes"], value.get("path")
            if content is None and beside:
                return Image.open(rows[index][0].parent / beside)
        else:
            content = value
        if content is None:
            raise DataError("the image is empty")
        return Image.open(io.BytesIO(content))

    return Part(labels, open_row, where)
