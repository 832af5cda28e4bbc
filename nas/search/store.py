"""A study on disk: one SQLite file, one transaction for each batch of evaluations."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nas.search.problem import Problem
from nas.search.study import Records
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.space import Space

FORMAT = 1
KEYS = {"format", "space", "objectives", "constraints", "belongs"}


class Store:
    """Open for one problem; a file of another is refused.

    Two tables: ``study`` (key, value) says what the file belongs to, ``evaluations`` holds a
    network a row: options separated by commas, one column for every objective and constraint.
    """

    def __init__(self, path: str | Path, problem: Problem, belongs: Mapping[str, str]) -> None:
        """Open or create. ``belongs`` names what the functions stand on (data, table, weights).

        Raises:
            ArtefactError: the file is no study, or one of something else, which is named.
            NasLoopError: the file cannot be opened or written.
        """
        self._path = Path(path)
        self._problem = problem
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _connect(self._path)
        try:
            with self._saying():
                self._open(belongs)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, belongs: Mapping[str, str]) -> None:
        # No waiting for the disk after every batch: a killed process loses nothing, and a lost
        # machine a few batches at most.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        expected = _header(self._problem, belongs)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                _compare(self._path, header(self._connection, self._path), expected)
                return
            columns = "".join(f", {_quoted(name)} REAL" for name in self._problem.names)
            self._connection.execute("CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT)")
            self._connection.execute(
                "CREATE TABLE evaluations (number INTEGER PRIMARY KEY, row TEXT UNIQUE"
                f"{columns}, violation REAL, generation INTEGER, origin TEXT)"
            )
            pairs = [(key, json.dumps(value)) for key, value in expected.items()]
            self._connection.executemany("INSERT INTO study VALUES (?, ?)", pairs)

    def read(self) -> Records:
        """Everything that the file holds, in the order of evaluation."""
        with self._saying():
            return _read(self._connection, self._problem)

    def append(self, records: Records) -> None:
        """Add evaluations: all of them or none.

        Raises:
            NasLoopError: the disk is full or the file cannot be written.
        """
        problem = self._problem
        violation = np.maximum(problem.violations(records.values), 0).sum(axis=1)
        rows = [",".join(map(str, row)) for row in records.rows.tolist()]
        columns = [rows, *records.values.T.tolist(), violation.tolist()]
        columns += [records.generations.tolist(), list(records.origins)]
        marks = ", ".join("?" * len(columns))
        # Another process may have evaluated the same network in the meantime: the first stays.
        statement = f"INSERT OR IGNORE INTO evaluations VALUES (NULL, {marks})"
        with self._saying(), self._connection:
            self._connection.executemany(statement, zip(*columns, strict=True))

    def close(self) -> None:
        """Leave one file behind."""
        self._connection.close()

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise NasLoopError(
                f"{self._path}: the study cannot be written or read ({error}); what was "
                "evaluated before stays in it"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ArtefactError(f"{self._path}: not a study, or damaged ({error})") from error


def stored(path: str | Path, space: Space) -> tuple[Problem, Records]:
    """What is in a study's file, for reading alone.

    Raises:
        ArtefactError: no such file, no study, or one of another space.
    """
    if not Path(path).is_file():
        raise ArtefactError(f"{path}: no such study")
    connection = _connect(Path(path))
    try:
        found = header(connection, Path(path))
        if found["space"] != [space.name, space.identity]:
            _compare(Path(path), found, {**found, "space": [space.name, space.identity]})
        names = tuple(str(name) for name in found["objectives"])
        problem = Problem(space, names, {str(name): limit for name, limit in found["constraints"]})
        return problem, _read(connection, problem)
    except sqlite3.DatabaseError as error:
        raise ArtefactError(f"{path}: not a study, or damaged ({error})") from error
    finally:
        connection.close()


def header(connection: sqlite3.Connection, path: Path) -> dict[str, list[Any]]:
    """What a study's file says that it belongs to."""
    try:
        found = {k: json.loads(v) for k, v in connection.execute("SELECT key, value FROM study")}
    except (sqlite3.DatabaseError, ValueError) as error:
        raise ArtefactError(f"{path}: not a study, or damaged ({error})") from error
    if found.get("format") != [FORMAT] or set(found) != KEYS:
        raise ArtefactError(
            f"{path}: study format {found.get('format')} is not [{FORMAT}], the one this version "
            "reads; search into another file"
        )
    return found


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, timeout=60)
    except sqlite3.OperationalError as error:
        raise NasLoopError(f"{path}: the study cannot be opened ({error})") from error


def _header(problem: Problem, belongs: Mapping[str, str]) -> dict[str, list[Any]]:
    return {
        "format": [FORMAT],
        "space": [problem.space.name, problem.space.identity],
        "objectives": list(problem.objectives),
        "constraints": [[name, limit] for name, limit in problem.limits.items()],
        "belongs": [[name, belongs[name]] for name in sorted(belongs)],
    }


def _compare(path: Path, found: Mapping[str, list[Any]], expected: Mapping[str, list[Any]]) -> None:
    differing = [
        f"{key} {found.get(key)} there, {value} here"
        for key, value in expected.items()
        if found.get(key) != value
    ]
    if differing:
        raise ArtefactError(
            f"{path}: the study of another search ({'; '.join(differing)}); search into another "
            "file or remove this one"
        )


def _read(connection: sqlite3.Connection, problem: Problem) -> Records:
    columns = ", ".join(map(_quoted, problem.names))
    found = connection.execute(
        f"SELECT row, generation, origin, {columns} FROM evaluations ORDER BY number"
    ).fetchall()
    rows = [[int(option) for option in line[0].split(",")] for line in found]
    return Records(
        np.array(rows, dtype=np.int64).reshape(-1, len(problem.space.choices)),
        np.array([line[3:] for line in found], dtype=np.float64).reshape(-1, len(problem.names)),
        np.array([line[1] for line in found], dtype=np.int64),
        tuple(line[2] for line in found),
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
