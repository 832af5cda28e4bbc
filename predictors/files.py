"""Saved predictors: an archive with the scale of the labels in its header."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictors import archive
from predictors.labels import Scale
from predictors.method import State

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
        PredictorError: the file does not end with ``.npz``.
        NasLoopError: the file cannot be written.
    """
    parts = {"header": dataclasses.asdict(header), "scale": dataclasses.asdict(scale)}
    archive.write(path, {"format": FORMAT, **parts}, state)


def read(path: str | Path) -> tuple[Header, Scale, State]:
    """The header, label scale and arrays of a saved predictor.

    Raises:
        ArtefactError: no such file, truncated, no predictor, or of another version.
    """
    with archive.reading(path, "predictor"):
        document, arrays = archive.read(path)
        archive.require_format(path, "predictor", document["format"], FORMAT)
        return _header(document["header"]), Scale(**document["scale"]), arrays


def _header(said: Any) -> Header:
    header = Header(**{**said, "proxies": tuple(said["proxies"])})
    texts = (header.name, header.space, header.identity, header.samples, header.labels or "")
    names = (*header.proxies, *dict(header.belongs or {}).values())
    if not all(isinstance(text, str) for text in (*texts, *names)):
        raise ValueError(f"header {said}")
    return header
