"""Saved predictors: an archive with the scale of the labels in its header."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from predictors import archive
from predictors.labels import Scale
from predictors.method import State
from search_spaces.errors import ArtefactError

FORMAT = 2


def write(path: str | Path, header: Mapping[str, Any], scale: Scale, state: State) -> None:
    """Write what ``read`` reads, atomically.

    Raises:
        NasLoopError: the file cannot be written.
    """
    archive.write(path, {"format": FORMAT, **header, "scale": dataclasses.asdict(scale)}, state)


def read(path: str | Path) -> tuple[dict[str, Any], Scale, State]:
    """The header, label scale and arrays of a saved predictor.

    Raises:
        ArtefactError: no such file, truncated, no predictor, or of another version.
    """
    with archive.reading(path, "predictor"):
        header, arrays = archive.read(path)
        if header["format"] != FORMAT:
            raise ArtefactError(
                f"{path}: predictor format {header['format']!r} is not {FORMAT}, the one this "
                "version reads; fit it again"
            )
        return header, Scale(**header.pop("scale")), arrays
