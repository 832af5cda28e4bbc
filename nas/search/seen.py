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
        fresh = np.zeros(len(rows), dtype=np.bool_)
        fresh[self._add(rows, len(rows))] = True
        return fresh

    def take(self, rows: Rows, n: int) -> Rows:
        """Add the first ``n`` of the rows [m, choices] that are new, and return those."""
        return rows[self._add(rows, n)]

    def _add(self, rows: Rows, n: int) -> list[int]:
        names = keys(rows)
        # Backwards, so that of equal rows the first stays.
        first = dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))
        added = sorted(first[key] for key in first.keys() - self._keys)[:n]
        self._keys.update(names[i] for i in added)
        return added

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
        rows = seen.take(rows if keeps is None else rows[keeps(rows)], missing)
        found.append(rows)
        missing -= len(rows)
        idle = idle + 1 if not len(rows) else 0
    return np.concatenate(found)
