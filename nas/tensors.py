"""Tensors by name from a file of weights, whoever wrote it; nothing in it is ever run."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor

from search_spaces.errors import ArtefactError

__all__ = ["read_tensors"]

STATE = "state_dict"
"""Where training scripts keep the weights, beside the epoch and the optimiser."""
PICKLED = (b"\x80", b"")
"""How pickles begin, but for those of Python 1; nothing is a truncated one."""
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a file that ``torch.save`` wrote, an ``.npz`` or a safetensors file.

    Which one it is is seen from its content: published files often have no suffix.

    Raises:
        ArtefactError: unreadable, truncated, of none of these kinds; pickled objects other than
            tensors, which are refused because reading them may run code; no tensors by name, or
            one that is not dense, of a type that no weights have, or with values not finite.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(9)
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        saved = _content(path, head)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        raise ArtefactError(
            f"{path}: pickled, and holds other things than tensors"
            f"{f' ({named[1]})' if named else ''}, which are refused since reading them may run "
            "code; save its state_dict() alone"
        ) from error
    except Exception as error:  # Damaged files fail in as many ways as they have bytes.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtefactError(f"{path}: not a whole file of weights ({reason})") from error
    return _named(path, saved)


def _content(path: Path, head: bytes) -> Any:
    """What is in the file, by its kind: safetensors, ``.npz`` or of ``torch.save``."""
    if head[8:9] == b"{":
        return load(path.read_bytes())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if all(name.endswith(".npy") for name in names):
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    elif head[:2] == b"PK":
        raise ValueError("it begins as .npz and torch.save do, its end is missing")
    elif head[:1] not in PICKLED:
        raise ValueError("it begins as none of them does")
    with warnings.catch_warnings():
        # Of a pickle's protocol; what is wrong with it is said by what is raised.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)


def _named(path: Path, saved: Any) -> dict[str, Tensor]:
    if isinstance(saved, Mapping) and isinstance(saved.get(STATE), Mapping):
        saved = saved[STATE]
    if not isinstance(saved, Mapping) or not saved or not all(map(_is_named, saved.items())):
        raise ArtefactError(
            f"{path}: holds no tensors by name, directly or as {STATE!r}; save a state_dict()"
        )
    for name, tensor in saved.items():
        if tensor.layout is not torch.strided or tensor.is_meta or tensor.dtype not in DTYPES:
            raise ArtefactError(
                f"{path}: {name!r} is not a plain tensor of numbers (it is {tensor.layout}, "
                f"{tensor.dtype}); save dense weights of {', '.join(map(str, DTYPES))}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ArtefactError(f"{path}: {name!r} has values that are not finite; is it damaged?")
    return dict(saved)


def _is_named(pair: tuple[object, object]) -> bool:
    return isinstance(pair[0], str) and isinstance(pair[1], Tensor)
