"""Saved predictors: a header and plain arrays in an ``.npz``, nothing that could run code."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from predictors.labels import Scale
from predictors.method import State
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

FORMAT = 3


def write(path: str | Path, header: Mapping[str, Any], scale: Scale, state: State) -> None:
    """Write what ``read`` reads, atomically.

    Raises:
        NasLoopError: the file cannot be written.
    """
    document = json.dumps({"format": FORMAT, **header, "scale": dataclasses.asdict(scale)})
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(document), **state)  # type: ignore[arg-type]
    write_atomic(path, buffer.getvalue())


def read(path: str | Path) -> tuple[dict[str, Any], Scale, State]:
    """The header, label scale and arrays of a saved predictor.

    Raises:
        ArtefactError: no such file, truncated, no predictor, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        header = json.loads(str(arrays.pop("header")))
        if header["format"] != FORMAT:
            raise ArtefactError(
                f"{path}: predictor format {header['format']!r} is not {FORMAT}, the one this "
                "version reads; fit it again"
            )
        return header, Scale(**header.pop("scale")), arrays
    except FileNotFoundError as error:
        raise ArtefactError(f"{path}: no such file") from error
    except KeyError as error:
        raise ArtefactError(f"{path}: not a saved predictor, it has no {error}") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path}: not a saved predictor, or truncated ({error})") from error
