"""Where a training stands, in one file that is replaced as a whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from nas.config import TrainConfig
from nas.config_training import RATES
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

__all__ = ["copies", "load_checkpoint", "save_checkpoint"]

FORMAT = 2
UNSAID = {"adamw": (0.004, 0.05), "sgd": (0.1, 0.0005), "muon": (0.1, 0.1)}
"""Learning rate and weight decay that were usual when checkpoints did not say them."""


def copies(config: TrainConfig) -> int:
    """How often a checkpoint holds the weights: weights, two moments, teacher, perhaps average."""
    return 5 if config.ema else 4


def save_checkpoint(path: Path, belongs: dict[str, str], state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, lists, dicts of them) and what it belongs to."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "belongs": belongs, "state": state}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path, belongs: dict[str, str]) -> dict[str, Any]:
    """The state in ``path``.

    Raises:
        ArtefactError: truncated, of another format, or of another space, data or configuration.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        document = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        format_, known, state = (dict(document)[key] for key in ("format", "belongs", "state"))
    # Depending on where a file ends, PyTorch answers with one of half a dozen kinds of errors.
    except Exception:
        raise ArtefactError(
            f"{path}: not a whole checkpoint (truncated or damaged); remove it to train from the "
            "start, or restore a copy"
        ) from None
    if format_ != FORMAT:
        raise ArtefactError(f"{path}: checkpoint format {format_}, this version reads {FORMAT}")
    known = {**_unsaid(known, belongs), **known}
    names = sorted({*known, *belongs})
    differ = [name for name in names if known.get(name) != belongs.get(name)]
    if differ:
        numbers = {name: f" ({known.get(name)} then, {belongs.get(name)} now)" for name in RATES}
        others = " and ".join(f"{name}{numbers.get(name, '')}" for name in differ)
        raise ArtefactError(
            f"{path}: the checkpoint belongs to another {others}; resume with what "
            "it was started with, or train into a new run folder"
        )
    return state


def _unsaid(known: dict[str, str], belongs: dict[str, str]) -> dict[str, str]:
    """What an earlier version meant by leaving it out, of what is said in ``belongs``."""
    optimizer = known.get("train.optimizer", "'adamw'").strip("'")
    meant = dict(zip(RATES, map(repr, UNSAID.get(optimizer, ())), strict=False))
    return {name: value for name, value in meant.items() if name in belongs}
