"""From a path to what it has of images."""

from __future__ import annotations

from pathlib import Path

from nas.data.digits import DIGITS, read_digits
from nas.data.folder import read_folder
from nas.data.npz import read_npz
from nas.data.source import Source
from search_spaces.errors import DataError

__all__ = ["open_source"]


def open_source(path: str | Path) -> Source:
    """Look at a data set without decoding its images.

    `path` is a folder of class folders, a Parquet file or a folder of them, an `.npz` file, or
    the name `digits` (a folder of that name is `./digits`).

    Raises:
        DataError: nothing there, nothing in it, or nothing that is understood.
    """
    if str(path) == DIGITS:
        return read_digits()
    place = Path(path)
    if not place.exists():
        raise DataError(f"{place}: no such file or folder; give a path to images, or {DIGITS!r}")
    if files := _parquet_files(place):
        from nas.data.parquet import read_parquet  # pyarrow, which other images do without.

        return read_parquet(place, files)
    if place.suffix == ".npz":
        return read_npz(place)
    if place.is_dir():
        return read_folder(place)
    raise DataError(
        f"{place}: images come from a folder of class folders, .parquet or .npz, got a file "
        f"of type {place.suffix or 'unknown'!r}"
    )


def _parquet_files(path: Path) -> list[Path]:
    """The Parquet files of a data set: the file itself, or those in the folder or its `data/`."""
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
