"""Trained supernets as safetensors files that know what they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from nas.data.augment import Normalisation
from search_spaces import Space
from search_spaces.errors import ArtefactError
from search_spaces.files import sha256_of, write_atomic
from search_spaces.supernet import Supernet

__all__ = ["Trained", "load_supernet", "save_supernet"]

FORMAT = "1"


@dataclass(frozen=True, eq=False)
class Trained:
    """A supernet and what it was trained on."""

    supernet: Supernet
    normalisation: Normalisation
    classes: tuple[str, ...]
    data: str
    digest: str


def save_supernet(
    path: Path,
    supernet: Supernet,
    normalisation: Normalisation,
    classes: tuple[str, ...],
    data: str,
) -> None:
    """Write weights and statistics with the identities of space and data."""
    metadata = {
        "format": FORMAT,
        "space": supernet.space.name,
        "identity": supernet.space.identity,
        "data": data,
        "classes": json.dumps(classes),
        "normalisation": json.dumps([normalisation.mean, normalisation.std]),
    }
    tensors = {name: tensor.contiguous() for name, tensor in supernet.state_dict().items()}
    write_atomic(path, save(tensors, metadata))


def load_supernet(path: Path, space: Space) -> Trained:
    """Read what ``save_supernet`` wrote, in evaluation mode.

    Raises:
        ArtefactError: missing, truncated, of another format or space.
    """
    if not path.is_file():
        raise ArtefactError(f"{path}: there are no trained weights; run `nas train` to the end")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: not a whole safetensors file ({error})") from error
    if metadata.get("format") != FORMAT:
        raise ArtefactError(
            f"{path}: format {metadata.get('format')!r}; this version reads {FORMAT!r}"
        )
    if metadata["identity"] != space.identity:
        raise ArtefactError(
            f"{path}: weights of space {metadata['space']!r} ({metadata['identity'][:12]}), not of "
            f"{space.name!r} ({space.identity[:12]}); use the configuration that trained them"
        )
    supernet = space.supernet()
    supernet.load_state_dict(tensors)
    supernet.eval()
    mean, std = json.loads(metadata["normalisation"])
    return Trained(
        supernet,
        Normalisation(tuple(mean), tuple(std)),
        tuple(json.loads(metadata["classes"])),
        metadata["data"],
        sha256_of(path),
    )
