"""Subnets whose accuracy was measured: kept as they come, so that nothing is evaluated twice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search_spaces import Space
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.space import Population

__all__ = ["Samples", "draw"]

FORMAT = 2


class Samples:
    """Accuracies in percent by canonical row, in an SQLite file that belongs to one supernet.

    Beside each stands how long it took to measure, so that a search can say how long it will take.
    """

    def __init__(self, path: Path, space: Space, belongs: Mapping[str, str]) -> None:
        """``belongs``: what the accuracies depend on (weights, data), compared with the file's.

        Raises:
            ArtefactError: the file is damaged or belongs to something else.
        """
        self.path = path
        self.space = space
        expected = {"format": str(FORMAT), "space": space.identity, **belongs}
        try:
            self._file = sqlite3.connect(path)
            with self._file:
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS belongs (name TEXT PRIMARY KEY, value TEXT)"
                )
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS samples "
                    "(row TEXT PRIMARY KEY, accuracy REAL, seconds REAL)"
                )
                known = dict(self._file.execute("SELECT name, value FROM belongs"))
                if not known:
                    self._file.executemany("INSERT INTO belongs VALUES (?, ?)", expected.items())
        except sqlite3.Error as error:
            raise ArtefactError(
                f"{path}: cannot be used as a store of samples ({error})"
            ) from error
        differ = [name for name in expected if known and known.get(name) != expected[name]]
        if differ:
            raise ArtefactError(
                f"{path}: its accuracies belong to another {' and '.join(differ)}; "
                "remove the file to measure anew"
            )

    def known(self) -> dict[tuple[int, ...], float]:
        """All that was measured."""
        return {row: accuracy for row, accuracy, _ in self._rows()}

    def seconds(self) -> dict[tuple[int, ...], float]:
        """How long each took to measure."""
        return {row: seconds for row, _, seconds in self._rows()}

    def _rows(self) -> list[tuple[tuple[int, ...], float, float]]:
        try:
            rows = self._file.execute("SELECT row, accuracy, seconds FROM samples").fetchall()
        except sqlite3.Error as error:
            raise ArtefactError(
                f"{self.path}: its accuracies cannot be read ({error}); remove the file to measure "
                "anew"
            ) from error
        return [(tuple(json.loads(row)), accuracy, seconds) for row, accuracy, seconds in rows]

    def measure(
        self,
        X: Population,
        accuracy: Callable[[Population], float],
        tell: Callable[[int, int], None],
    ) -> npt.NDArray[np.float64]:
        """Accuracy in percent of every row of canonical ``X`` [n, choices]: [n].

        Rows that are known are read; the others are measured and stored one by one.
        """
        known = self.known()
        values = []
        for done, row in enumerate(X):
            key = tuple(int(option) for option in row)
            if key not in known:
                began = time.perf_counter()
                known[key] = accuracy(row)
                self._store(key, known[key], time.perf_counter() - began)
            values.append(known[key])
            tell(done + 1, len(X))
        return np.array(values)

    def _store(self, key: tuple[int, ...], accuracy: float, seconds: float) -> None:
        try:
            with self._file:
                self._file.execute(
                    "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
                    (json.dumps(key), accuracy, seconds),
                )
        except sqlite3.Error as error:
            raise NasLoopError(
                f"{self.path}: a sample cannot be stored ({error}); what was stored before is kept"
            ) from error


def draw(space: Space, n: int, rng: np.random.Generator) -> Population:
    """``n`` distinct canonical rows [n, choices]: both ends, and the rest spread over cost.

    Uniformly drawn networks crowd in the middle; candidates are drawn uniform over networks and
    over choices, and taken in equal numbers from bands of MACs.

    Raises:
        NasLoopError: the space has fewer than ``n`` networks.
    """
    if space.size < n:
        raise NasLoopError(f"{space.name} has {space.size} networks, fewer than {n} samples")
    ends = np.stack([space.smallest, space.largest])
    pool = np.concatenate(
        [space.sample(20 * n, rng), space.sample(20 * n, rng, "networks"), _leaning(space, n, rng)]
    )
    pool = pool[(pool[:, None] != ends[None]).any(2).all(1)]
    _, first = np.unique(pool, axis=0, return_index=True)
    pool = pool[np.sort(first)]
    band = _bands(np.log(space.macs(pool)), n)
    order = np.lexsort((rng.random(len(pool)), band))
    # The k-th member of every band comes before the k+1st of any.
    turn = np.arange(len(order)) - np.searchsorted(band[order], band[order])
    return np.concatenate([ends, pool[order][np.argsort(turn, kind="stable")][: n - 2]])


def _bands(values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.int64]:
    low, high = values.min(), values.max()
    bands = max(1, n // 5)
    return np.minimum((values - low) / max(high - low, 1e-12) * bands, bands - 1).astype(np.int64)


def _leaning(space: Space, n: int, rng: np.random.Generator) -> Population:
    """Rows whose choices lean to one end by a strength of their own, to fill the outer bands."""
    sizes = np.array([len(choice.values) for choice in space.choices])
    lean = rng.random((20 * n, 1)) ** np.where(rng.random((20 * n, 1)) < 0.5, 3.0, 1 / 3.0)
    rows = (rng.random((20 * n, len(sizes))) < lean) * (sizes - 1)
    mix = rng.random(rows.shape) < 0.3
    return space.canonical(np.where(mix, rng.integers(0, sizes, rows.shape), rows))
