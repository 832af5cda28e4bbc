"""Whether there is room for what a command is about to write."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from search_spaces.errors import NasLoopError

__all__ = ["existing", "megabytes", "require_room", "same_disk"]


def megabytes(size: float) -> str:
    """Bytes as a person says them, rounded up: never less than is needed."""
    return f"{math.ceil(size / 1e6):,} MB"


def require_room(path: Path, needed: int, option: str) -> None:
    """Raise ``NasLoopError`` where the disk of ``path`` has fewer than ``needed`` bytes left.

    ``path`` need not be there yet; ``option`` is the one that chooses another place.
    """
    free = shutil.disk_usage(existing(path)).free
    if free < needed:
        raise NasLoopError(
            f"{path}: {megabytes(needed)} are needed and {free / 1e6:,.0f} MB are free; make room "
            f"or choose another {option}"
        )


def same_disk(one: Path, other: Path) -> bool:
    """Whether both will be written to one disk, so that each takes of the other's room."""
    return existing(one).stat().st_dev == existing(other).stat().st_dev


def existing(path: Path) -> Path:
    """The nearest folder above that is there: its disk is the one that will be written to."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
