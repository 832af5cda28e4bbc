"""Images in a folder of class folders, perhaps below `train/`, `val/` and `test/`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from nas.data.source import PART_NAMES, Part, PartName, Source, name_parts
from search_spaces.errors import DataError

__all__ = ["read_folder"]

# Notes and litter that lie beside images. Any other file is opened, because an image in a
# format that Pillow lacks must be named, not dropped.
_NOT_IMAGES = frozenset(
    (".txt", ".md", ".json", ".csv", ".xml", ".html", ".yaml", ".yml", ".db", ".ini")
)


def read_folder(path: Path) -> Source:
    """A source from `path/CLASS/...`, or from `path/train/CLASS/...` and its siblings.

    Classes are sorted by name. Folders are read to any depth; hidden files and notes (.txt,
    .json, ...) are passed over.

    Raises:
        DataError: no class folders, a class folder without images, or a class that appears
            outside `train/` only.
    """
    folders = _folders(path)
    named = {PART_NAMES[folder.name]: folder for folder in folders if folder.name in PART_NAMES}
    roots: dict[PartName, Path] = name_parts(named) if "train" in named else {"train": path}
    classes = tuple(folder.name for folder in _folders(roots["train"]))
    if not classes:
        raise DataError(
            f"{roots['train']}: no class folders; images must lie in one folder per class"
        )
    parts: dict[PartName, Part] = {}
    for name, root in roots.items():
        files, labels = _files(root, classes)
        parts[name] = _part(files, labels)
    return Source(str(path), classes, parts)


def _folders(path: Path) -> list[Path]:
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _files(root: Path, classes: tuple[str, ...]) -> tuple[list[Path], list[int]]:
    files: list[Path] = []
    labels: list[int] = []
    for folder in _folders(root):
        if folder.name not in classes:
            raise DataError(f"{folder}: class {folder.name!r} has no training images")
        found = _images(folder)
        if not found:
            raise DataError(f"{folder}: class {folder.name!r} has no images")
        files += found
        labels += [classes.index(folder.name)] * len(found)
    if not files:
        raise DataError(f"{root}: no class folders; images must lie in one folder per class")
    return files, labels


def _images(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error

    found = []
    for parent, _, names in os.walk(folder, onerror=refuse, followlinks=True):
        for name in names:
            hidden = name.startswith(".") or name == "Thumbs.db"
            if not hidden and Path(name).suffix.lower() not in _NOT_IMAGES:
                found.append(Path(parent, name))
    return sorted(found)


def _part(files: list[Path], labels: list[int]) -> Part:
    return Part(
        labels=np.array(labels, np.int64),
        open=lambda index: Image.open(files[index]),
        where=lambda index: str(files[index]),
        files=lambda: files,
    )
