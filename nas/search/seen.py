"""Which rows were there already, by hash and never by pairwise comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Rows
from search_spaces.space import Space

# Rounds of sampling in which nothing new may turn up before a space counts as exhausted.
PATIENCE = 50


def keys(rows: Rows) -> list[bytes]:
    """One hashable key for each row [n, choices]; equal rows have equal keys."""
    width = rows.shape[1] * np.dtype(np.int16).itemsize
    # A row as one opaque number: NumPy makes the bytes, not a loop.
    found: list[bytes] = rows.astype(np.int16, order="C").view(f"V{width}").ravel().tolist()
    return found


class Seen:
    """A set of rows."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()

    def add(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Add rows [n, choices]; True for those that were new, the first of equals only."""
        names = keys(rows)
        first = dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))
        fresh = np.zeros(len(rows), dtype=np.bool_)
        fresh[[first[key] for key in first.keys() - self._keys]] = True
        self._keys.update(names)
        return fresh

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys


def unseen(
    space: Space,
    n: int,
    rng: np.random.Generator,
    seen: Seen,
    keeps: Callable[[Rows], npt.NDArray[np.bool_]] | None = None,
) -> Rows:
    """``n`` random canonical rows that are not in ``seen``, which then holds them.

    ``keeps`` says which rows [n, choices] are wanted: [n]. Fewer than ``n`` where many rounds of
    sampling find no more.
    """
    found = [np.empty((0, len(space.choices)), dtype=np.int64)]
    missing, idle = n, 0
    while missing and idle < PATIENCE:
        # Small spaces are exhausted sooner when a round is larger than what is missing.
        rows = space.sample(missing if not idle else max(1024, 4 * missing), rng)
        rows = rows[_first_unseen(rows, seen)]
        rows = (rows if keeps is None or not len(rows) else rows[keeps(rows)])[:missing]
        seen.add(rows)
        found.append(rows)
        missing -= len(rows)
        idle = idle + 1 if not len(rows) else 0
    return np.concatenate(found)


def _first_unseen(rows: Rows, seen: Seen) -> list[int]:
    first: dict[bytes, int] = {}
    for i, key in enumerate(keys(rows)):
        if key not in seen:
            first.setdefault(key, i)
    return list(first.values())
