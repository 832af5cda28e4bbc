"""Images from Parquet in the Hugging Face layout: labels at once, images as they are asked for."""

from __future__ import annotations

import io
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from nas.data.source import PART_NAMES, Part, PartName, Source, name_parts
from search_spaces.errors import DataError

__all__ = ["read_parquet"]

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels")
_HELD = 4096
"""Encoded images that stay in memory beside a row group: more than all threads are at."""


def read_parquet(path: Path, files: Sequence[Path]) -> Source:
    """A source from one Parquet file, or from a folder of `train.parquet`, `test.parquet`.

    `files` are `path` itself, or the Parquet files of that folder in order; shards are
    `train-00000-of-00002.parquet` and so on. The image column is `image` or `img` (a struct
    `{bytes, path}`, or bytes), the label column `label` or `labels` (integers, or strings that name
    the class). Class names are those of the Hugging Face metadata if it is there, else "0", "1",
    ... Of the images a few row groups at a time are in memory.

    Raises:
        DataError: not Parquet, a missing column or one of the wrong type, an empty label.
    """
    shards = _shards(path, files)
    tables = {
        name: pa.concat_tables([_labelled(file) for file in files], promote_options="default")
        for name, files in shards.items()
    }
    labels = {name: _labels(tables[name], shards[name][0]) for name in tables}
    classes = _class_names(shards["train"][0]) or _named_by(labels["train"])
    parts = {
        name: _part(_numbered(labels[name], classes, files[0]), files)
        for name, files in shards.items()
    }
    return Source(str(path), classes, parts)


def _shards(path: Path, files: Sequence[Path]) -> dict[PartName, list[Path]]:
    if path.is_file():
        return {"train": list(files)}
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


def _labelled(file: Path) -> pa.Table:
    """The labels alone, once the columns are what they should be."""
    with _reading(file):
        schema = pq.read_schema(file)
        image = _column(schema, _IMAGE_COLUMNS, file)
        label = _column(schema, _LABEL_COLUMNS, file)
        table = pq.read_table(file, columns=[label])
    _check_image_type(schema.field(image).type, file)
    return table.rename_columns(["label"])


def _column(schema: pa.Schema, names: tuple[str, ...], file: Path) -> str:
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


def _labels(table: pa.Table, file: Path) -> NDArray[Any]:
    column = table.column("label")
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


def _part(labels: NDArray[np.int64], files: Sequence[Path]) -> Part:
    rows = _Rows(files)

    def open_row(index: int) -> Image.Image:
        value = rows[index]
        if isinstance(value, dict):
            content, beside = value["bytes"], value.get("path")
            if content is None and beside:
                return Image.open(rows.place(index)[0].parent / beside)
        else:
            content = value
        if content is None:
            raise DataError("the image is empty")
        return Image.open(io.BytesIO(content))

    def where(index: int) -> str:
        file, row = rows.place(index)
        return f"{file}, row {row}"

    return Part(labels, open_row, where, rows.files)


class _Rows:
    """The image column of several files, of which memory holds the row groups used last.

    For several threads that go through it in order, each at another image.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._paths = files
        self._groups: list[tuple[Path, int]] = []
        starts, first_rows = [0], [0]
        for file in files:
            metadata = pq.read_metadata(file)
            for group in range(metadata.num_row_groups):
                self._groups.append((file, group))
                starts.append(starts[-1] + metadata.row_group(group).num_rows)
            first_rows.append(starts[-1])
        self._starts, self._first_rows = np.array(starts), np.array(first_rows)
        self._held: OrderedDict[int, pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def place(self, index: int) -> tuple[Path, int]:
        """The file of an image, and its row there."""
        number = int(np.searchsorted(self._first_rows, index, side="right")) - 1
        return self._paths[number], index - int(self._first_rows[number])

    def __getitem__(self, index: int) -> Any:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._group(number)[index - int(self._starts[number])].as_py()

    def files(self) -> Iterator[Path]:
        """The Parquet files, and images that lie beside them."""
        yield from self._paths
        for file in self._paths:
            metadata = pq.read_metadata(file)
            for group in range(metadata.num_row_groups):
                if _may_lie_beside(metadata.row_group(group)):
                    for path in _paths_beside(_images(file, group)):
                        yield file.parent / path

    def _group(self, number: int) -> pa.ChunkedArray:
        with self._lock:
            if number not in self._held:
                self._held[number] = _images(*self._groups[number])
            self._held.move_to_end(number)
            sizes = [len(one) for one in self._held.values()]
            while sum(sizes) - sizes[0] >= _HELD:
                self._held.popitem(last=False)
                del sizes[0]
            return self._held[number]


def _may_lie_beside(group: pq.RowGroupMetaData) -> bool:
    """Whether there are, by what the file says of a row group, images without bytes in it."""
    for column in map(group.column, range(group.num_columns)):
        if column.path_in_schema in {f"{name}.bytes" for name in _IMAGE_COLUMNS}:
            known = column.statistics
            return known is None or not known.has_null_count or known.null_count > 0
    return False


def _paths_beside(column: pa.ChunkedArray) -> list[str]:
    """Of the images without bytes, those that have a path."""
    kind = column.type
    if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
        return []
    beside = column.filter(pc.is_null(pc.struct_field(column, "bytes")))
    return [path for path in pc.struct_field(beside, "path").to_pylist() if path]


def _images(file: Path, group: int) -> pa.ChunkedArray:
    """The image column of a row group."""
    with _reading(file), pq.ParquetFile(file) as opened:
        column = _column(opened.schema_arrow, _IMAGE_COLUMNS, file)
        return opened.read_row_group(group, columns=[column]).column(column)
