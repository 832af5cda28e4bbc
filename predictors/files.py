"""Saved predictors: a header and plain arrays in an ``.npz``, nothing that could run code."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predictors.labels import Scale
from predictors.method import State
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

FORMAT = 3


@dataclass(frozen=True)
class Header:
    """What a file says of its predictor.

    Attributes:
        name: of the predictor, as ``predictors.get`` knows it.
        space: the name of its space, and ``identity`` that space's identity.
        samples: the digest of what it was fitted on.
        proxies: the names of those that it was fitted with.
        labels: what they are, with the unit; None where nobody said.
        belongs: by name, what they were measured on; None where nobody said.
    """

    name: str
    space: str
    identity: str
    samples: str
    proxies: tuple[str, ...]
    labels: str | None
    belongs: Mapping[str, str] | None


def write(path: str | Path, header: Header, scale: Scale, state: State) -> None:
    """Write what ``read`` reads, atomically.

    Raises:
        NasLoopError: the file cannot be written.
    """
    parts = {"header": dataclasses.asdict(header), "scale": dataclasses.asdict(scale)}
    document = json.dumps({"format": FORMAT, **parts})
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(document), **state)  # type: ignore[arg-type]
    write_atomic(path, buffer.getvalue())


def read(path: str | Path) -> tuple[Header, Scale, State]:
    """The header, label scale and arrays of a saved predictor.

    Raises:
        ArtefactError: no such file, truncated, no predictor, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        document = json.loads(str(arrays.pop("header")))
        if document["format"] != FORMAT:
            raise ArtefactError(
                f"{path}: predictor format {document['format']!r} is not {FORMAT}, the one this "
                "version reads; fit it again"
            )
        return _header(document["header"]), Scale(**document["scale"]), arrays
    except FileNotFoundError as error:
        raise ArtefactError(f"{path}: no such file") from error
    except KeyError as error:
        raise ArtefactError(f"{path}: not a saved predictor, it has no {error}") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path}: not a saved predictor, or truncated ({error})") from error


def _header(said: Any) -> Header:
    header = Header(**{**said, "proxies": tuple(said["proxies"])})
    texts = (header.name, header.space, header.identity, header.samples, header.labels or "")
    names = (*header.proxies, *dict(header.belongs or {}).values())
    if not all(isinstance(text, str) for text in (*texts, *names)):
        raise ValueError(f"header {said}")
    return header
