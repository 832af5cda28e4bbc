"""What a file of trained weights says of itself, read without PyTorch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from operator import index
from pathlib import Path

from safetensors import SafetensorError, safe_open

import search_spaces
from nas.config import Config
from search_spaces import Space
from search_spaces.errors import ArtefactError

__all__ = ["FORMAT", "Header", "peek", "space_of"]

FORMAT = 1
KEY = "nas-loop"


@dataclass(frozen=True)
class Header:
    """The identities of space and data, class names, and the normalisation (0-255 units).

    Weights that were not trained here say in ``origin`` where they come from; ``data`` is empty
    where no images are known. ``architecture`` is that of weights of one subnet alone, as JSON.
    ``settled`` has the rows of the networks that the training settled on, canonical ones.
    """

    space: str
    identity: str
    data: str
    classes: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    origin: str = ""
    architecture: str = ""
    settled: tuple[tuple[int, ...], ...] = ()

    def metadata(self) -> dict[str, str]:
        """As it stands in the file: under one key, since safetensors orders keys at random."""
        return {KEY: json.dumps({"format": FORMAT, **asdict(self)})}


def peek(path: Path) -> Header:
    """The header of a file of weights, without reading the weights.

    Raises:
        ArtefactError: missing, truncated or of another format.
    """
    if not path.is_file():
        raise ArtefactError(
            f"{path}: there are no trained weights; run `nas train` to the end, or `nas import-ofa`"
        )
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: not a whole safetensors file ({error})") from error
    try:
        document = json.loads(metadata[KEY])
        if document.pop("format") != FORMAT:
            raise ArtefactError(f"{path}: another format; this version reads format {FORMAT}")
        lists = {name: tuple(document[name]) for name in ("classes", "mean", "std")}
        rows = tuple(tuple(map(index, row)) for row in document.get("settled", ()))
        return Header(**{**document, **lists, "settled": rows})
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"{path}: its header is damaged ({type(error).__name__}: {error}); restore a copy, "
            "or train again"
        ) from error


def space_of(config: Config, num_classes: int) -> Space:
    """The space that a configuration names, for a number of classes."""
    section = config.space
    return search_spaces.get(
        section.name,
        resolutions=section.resolutions,
        num_classes=num_classes,
        **dict(section.options),
    )
