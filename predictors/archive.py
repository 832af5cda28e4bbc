"""A header and plain arrays in an ``.npz``, nothing that could run code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.errors import PredictorError
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

SUFFIX = ".npz"
"""Of the files: what a command is given with another one, it takes for a name."""


def write(
    path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write what ``read`` reads, atomically.

    Raises:
        PredictorError: the file does not end with ``SUFFIX``.
        NasLoopError: the file cannot be written.
    """
    if Path(path).suffix != SUFFIX:
        raise PredictorError(f"a saved predictor's file ends with {SUFFIX}; got {path}")
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]
    write_atomic(path, buffer.getvalue())


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The header and the arrays; to be called, and what they are checked, within ``reading``."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    return json.loads(str(arrays.pop("header"))), arrays


@contextmanager
def reading(path: str | Path, what: str) -> Iterator[None]:
    """Says that a file is not a saved ``what``, where it cannot be read as one.

    Raises:
        ArtefactError: no such file, truncated, or something else.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ArtefactError(f"{path}: no such file") from error
    except KeyError as error:
        raise ArtefactError(f"{path}: not a saved {what}, it has no {error}") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        # NumPy takes what it does not know for a pickle, and advises to load it.
        why = "no plain arrays" if "pickle" in str(error) else error
        raise ArtefactError(f"{path}: not a saved {what}, or truncated ({why})") from error


def require_format(path: str | Path, what: str, found: object, wanted: int) -> None:
    """Raises ``ArtefactError`` for a saved ``what`` of another format than this version's."""
    if found != wanted:
        raise ArtefactError(
            f"{path}: {what} format {found!r} is not {wanted}, the one this version reads; fit it "
            "again"
        )
