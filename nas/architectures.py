"""Architectures in files: what a search left, and what an exported model says of itself."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Architecture, Space
from search_spaces.errors import ArtefactError, SpaceError

__all__ = ["METADATA", "read_architecture"]

METADATA = "architecture"
"""The entry of an exported ONNX file that has its architecture, as JSON."""


def read_architecture(path: Path, space: Space | None = None) -> Architecture:
    """The architecture in a JSON file or an exported ONNX file, of ``space`` if one is given.

    Raises:
        ArtefactError: unreadable, no architecture, or one of another space; names the file.
    """
    text = _inside(path) if path.suffix.lower() == ".onnx" else _text(path)
    try:
        architecture = Architecture.from_json(text)
        if space is not None:
            space.encode(architecture)
    except SpaceError as error:
        raise ArtefactError(f"{path}: {error}") from error
    return architecture


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{path}: is not UTF-8 text ({error.reason})") from error


def _inside(path: Path) -> str:
    # onnx takes long to import, and most architectures are JSON.
    from nas.profiling.model import proto_of

    entries = {entry.key: entry.value for entry in proto_of(path).metadata_props}
    if METADATA not in entries:
        raise ArtefactError(
            f"{path}: does not say which architecture it has, as files of `nas export` do"
        )
    return entries[METADATA]
