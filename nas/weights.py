"""Trained supernets as safetensors files that know what they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from nas.data.augment import Normalisation
from nas.header import Header, peek
from search_spaces import Space
from search_spaces.errors import ArtefactError
from search_spaces.files import sha256_of, write_atomic
from search_spaces.supernet import Supernet

__all__ = ["Trained", "load_supernet", "save_supernet"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A supernet and what it was trained on; ``digest`` is the SHA-256 of the file."""

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
    origin: str = "",
) -> None:
    """Write weights and statistics with the identities of space and data; see ``Header``."""
    space = supernet.space
    mean, std = normalisation.mean, normalisation.std
    header = Header(space.name, space.identity, data, classes, mean, std, origin)
    tensors = {name: tensor.contiguous() for name, tensor in supernet.state_dict().items()}
    write_atomic(path, save(tensors, header.metadata()))


def load_supernet(path: Path, space: Space) -> Trained:
    """Read what ``save_supernet`` wrote, in evaluation mode.

    Raises:
        ArtefactError: missing, truncated, of another format or space.
    """
    header = peek(path)
    if header.identity != space.identity:
        raise ArtefactError(
            f"{path}: weights of space {header.space!r} ({header.identity[:12]}), not of "
            f"{space.name!r} ({space.identity[:12]}); use the configuration that trained them"
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: not a whole safetensors file ({error})") from error
    supernet = space.supernet()
    try:
        supernet.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ArtefactError(
            f"{path}: its weights are not those of a whole supernet ({reason}); restore a copy, "
            "or train again"
        ) from error
    supernet.eval()
    normalisation = Normalisation(header.mean, header.std)
    return Trained(supernet, normalisation, header.classes, header.data, sha256_of(path))
