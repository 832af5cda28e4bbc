"""What was found out about networks: kept as it comes, so that nothing is evaluated twice."""

from __future__ import annotations

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from nas.engine import LOCAL, Engine
from search_spaces import Space
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.space import Population

__all__ = ["Key", "RowStore"]

Value = TypeVar("Value")
Key = tuple[int, ...]


class RowStore(ABC, Generic[Value]):
    """Values by canonical row, in an SQLite file that belongs to one space, weights or images.

    Beside each stands how long it took, so that others can say how long more of it will take.
    """

    FORMAT: ClassVar[int]
    COLUMN: ClassVar[str]
    """Name and type of the values' column, as SQL says it."""
    WHAT: ClassVar[str]
    """What the values are, in errors."""

    def __init__(self, path: Path, space: Space, belongs: Mapping[str, str]) -> None:
        """``belongs``: what the values depend on, compared with the file's.

        Raises:
            ArtefactError: the file is damaged or belongs to something else.
        """
        self.path = path
        self.space = space
        expected = {"format": str(self.FORMAT), "space": space.identity, **belongs}
        try:
            self._file = sqlite3.connect(path)
            with self._file:
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS belongs (name TEXT PRIMARY KEY, value TEXT)"
                )
                self._file.execute(
                    "CREATE TABLE IF NOT EXISTS samples "
                    f"(row TEXT PRIMARY KEY, {self.COLUMN}, seconds REAL)"
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
                f"{path}: its {self.WHAT} belong to another {' and '.join(differ)}; "
                "remove the file to measure anew"
            )

    @abstractmethod
    def encoded(self, value: Value) -> float | str:
        """As SQLite keeps it."""

    @abstractmethod
    def decoded(self, kept: float | str) -> Value:
        """The inverse of ``encoded``."""

    def known(self) -> dict[Key, Value]:
        """All that was measured.

        Raises:
            ArtefactError: the file is damaged.
        """
        return {row: value for row, value, _ in self._rows()}

    def seconds(self) -> dict[Key, float]:
        """How long each took to measure; raises as ``known``."""
        return {row: seconds for row, _, seconds in self._rows()}

    def values(
        self,
        X: Population,
        measure: Callable[[Population], Value],
        tell: Callable[[int, int], None],
        engine: Engine = LOCAL,
    ) -> list[Value]:
        """The value of every row of ``X`` [n, choices]: [n].

        Rows that are known are read; the others are measured by ``engine``, and stored here one by
        one as they come, both by their canonical row. What ``measure`` raises ends it.

        Raises:
            SpaceError: rows that are not of the space.
            ArtefactError: the file is damaged.
        """
        known = self.known()
        keys = list(map(tuple, self.space.canonical(X).tolist()))
        times = Counter(keys)
        done = 0

        def told(key: Key) -> None:
            nonlocal done
            for _ in range(times[key]):
                done += 1
                tell(done, len(X))

        for key in times:
            if key in known:
                told(key)
        missing = [key for key in times if key not in known]
        rows = [np.array(key, dtype=np.int64) for key in missing]
        for number, outcome in engine.map(_Timed(measure), rows):
            if isinstance(outcome, Exception):
                raise outcome
            known[missing[number]], seconds = outcome
            self._store(missing[number], known[missing[number]], seconds)
            told(missing[number])
        return [known[key] for key in keys]

    def _rows(self) -> list[tuple[Key, Value, float]]:
        column = self.COLUMN.partition(" ")[0]
        try:
            rows = self._file.execute(f"SELECT row, {column}, seconds FROM samples").fetchall()
            return [(self._key(row), self.decoded(kept), float(took)) for row, kept, took in rows]
        except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
            raise ArtefactError(
                f"{self.path}: its {self.WHAT} cannot be read ({error}); remove the file to "
                "measure anew"
            ) from error

    def _key(self, row: str) -> Key:
        key = tuple(json.loads(row))
        if len(key) != len(self.space.choices) or not all(type(option) is int for option in key):
            raise ValueError(f"{row!r} is no row of {self.space.name}")
        return key

    def _store(self, key: Key, value: Value, seconds: float) -> None:
        try:
            with self._file:
                self._file.execute(
                    "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
                    (json.dumps(key), self.encoded(value), seconds),
                )
        except sqlite3.Error as error:
            raise NasLoopError(
                f"{self.path}: a sample cannot be stored ({error}); what was stored before is kept"
            ) from error


@dataclass(frozen=True)
class _Timed:
    """A measurement with the seconds that it takes, where it is made."""

    measure: Callable[[Population], Any]

    def __call__(self, row: Population) -> tuple[Any, float]:
        began = time.perf_counter()
        value = self.measure(row)
        return value, time.perf_counter() - began
