"""Trained supernets as safetensors files that know what they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from nas.data.augment import Normalisation
from nas.header import Header, peek
from search_spaces import Architecture, Space
from search_spaces.errors import ArtefactError
from search_spaces.files import sha256_of, write_atomic
from search_spaces.mismatch import apart
from search_spaces.space import Population
from search_spaces.subnet import Subnet
from search_spaces.supernet import Supernet

__all__ = [
    "FineTuned",
    "Trained",
    "load_subnet",
    "load_supernet",
    "save_subnet",
    "save_supernet",
]

Network = TypeVar("Network", bound=nn.Module)


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
    settled: Population | None = None,
) -> None:
    """Write weights and statistics with the identities of space and data; see ``Header``.

    ``settled`` [n, choices] are the networks that the training settled on.
    """
    space = supernet.space
    mean, std = normalisation.mean, normalisation.std
    rows = () if settled is None else tuple(map(tuple, settled.tolist()))
    header = Header(space.name, space.identity, data, classes, mean, std, origin, settled=rows)
    tensors = {name: tensor.contiguous() for name, tensor in supernet.state_dict().items()}
    write_atomic(path, save(tensors, header.metadata()))


def load_supernet(path: Path, space: Space) -> Trained:
    """Read what ``save_supernet`` wrote, in evaluation mode.

    Raises:
        ArtefactError: missing, truncated, of another format or space.
    """
    header = _header(path, space)
    if header.architecture:
        raise ArtefactError(
            f"{path}: the weights of one subnet, not of a supernet; `nas export --weights` takes "
            "them"
        )
    supernet = _filled(space.supernet(), path, "a whole supernet")
    normalisation = Normalisation(header.mean, header.std)
    return Trained(supernet, normalisation, header.classes, header.data, sha256_of(path))


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A subnet with weights of its own; ``digest`` is the SHA-256 of the file."""

    subnet: Subnet
    architecture: Architecture
    header: Header
    digest: str


def save_subnet(path: Path, subnet: Subnet, architecture: Architecture, like: Header) -> None:
    """Write one subnet's weights; space, data, classes and normalisation are those of ``like``."""
    header = replace(like, architecture=architecture.to_json(), settled=())
    tensors = {name: tensor.contiguous() for name, tensor in subnet.state_dict().items()}
    write_atomic(path, save(tensors, header.metadata()))


def load_subnet(path: Path, space: Space) -> FineTuned:
    """Read what ``save_subnet`` wrote, in evaluation mode.

    Raises:
        ArtefactError: missing, truncated, of another format or space, or of a whole supernet.
    """
    if not path.is_file():
        raise ArtefactError(
            f"{path}: no file of a fine-tuned subnet; `nas finetune` leaves one, subnet.safetensors"
        )
    header = _header(path, space)
    if not header.architecture:
        raise ArtefactError(
            f"{path}: the weights of a supernet, not of one subnet; `nas finetune` makes those"
        )
    architecture = Architecture.from_json(header.architecture)
    subnet = _filled(Subnet(space.lower(architecture)), path, "the subnet that it names")
    return FineTuned(subnet, architecture, header, sha256_of(path))


def _header(path: Path, space: Space) -> Header:
    header = peek(path)
    if header.identity != space.identity:
        raise ArtefactError(
            f"{path}: weights of space "
            f"{apart(header.space, header.identity, space.name, space.identity)}; use the "
            "configuration that trained them"
        )
    return header


def _filled(network: Network, path: Path, whose: str) -> Network:
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: not a whole safetensors file ({error})") from error
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ArtefactError(
            f"{path}: its weights are not those of {whose} ({reason}); restore a copy, or train "
            "again"
        ) from error
    network.eval()
    return network
