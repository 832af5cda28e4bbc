"""Tensors by name from a file of weights, whoever wrote it; nothing in it is ever run."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from search_spaces.errors import ArtefactError

__all__ = ["read_tensors"]

STATE = "state_dict"
"""Where training scripts keep the weights, beside the epoch and the optimiser."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a file that ``torch.save`` wrote, an ``.npz`` or a safetensors file.

    Which one it is is seen from its content: published files often have no suffix.

    Raises:
        ArtefactError: unreadable, truncated, of none of these kinds; pickled objects other than
            tensors, which are refused because reading them may run code; no tensors by name; a
            tensor with a value that is not finite.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(9)
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror})") from error
    if zipfile.is_zipfile(path):
        tensors = _from_npz(path) if _is_npz(path) else _from_torch(path)
    elif head[8:9] == b"{":
        tensors = _from_safetensors(path)
    else:
        tensors = _from_torch(path)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ArtefactError(f"{path}: {name!r} has values that are not finite; is it damaged?")
    return tensors


def _is_npz(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return bool(names) and all(name.endswith(".npy") for name in names)


def _from_npz(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name]) for name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path}: not a whole .npz of numbers ({error})") from error


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load(path.read_bytes()))
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: not a whole safetensors file ({error})") from error


def _from_torch(path: Path) -> dict[str, Tensor]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split(". ")[0].splitlines()[0]
        raise ArtefactError(
            f"{path}: pickled, and holds other things than tensors, which are refused since "
            f"reading them may run code, or no weights at all ({reason}); save its state_dict() "
            "alone"
        ) from error
    except Exception as error:  # A damaged pickle fails in as many ways as it has bytes.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtefactError(f"{path}: not a whole file of weights ({reason})") from error
    return _named(path, saved)


def _named(path: Path, saved: Any) -> dict[str, Tensor]:
    if isinstance(saved, Mapping) and isinstance(saved.get(STATE), Mapping):
        saved = saved[STATE]
    if (
        not isinstance(saved, Mapping)
        or not saved
        or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in saved.items())
    ):
        raise ArtefactError(
            f"{path}: holds no tensors by name, directly or as {STATE!r}; save a state_dict()"
        )
    return dict(saved)
