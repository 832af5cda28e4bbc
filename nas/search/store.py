"""A study on disk: one SQLite file, one transaction for what was evaluated together."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nas.search import texts, workers
from nas.search.header import header, read_header, require_same
from nas.search.problem import Problem
from nas.search.study import Records
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.space import Space

# How long one process waits for another that writes, in seconds.
PATIENCE = 60


class Store:
    """Open for one problem; a file of another is refused.

    ``study`` (key, value) says what the file belongs to. ``evaluations`` holds a trial a row: a
    network's options separated by commas, its fidelity, a column for every objective and
    constraint, and why they are empty where they are. ``searches`` tells how long each has taken,
    ``workers`` who is evaluating what.
    """

    def __init__(
        self,
        path: str | Path,
        problem: Problem,
        belongs: Mapping[str, str],
        search: str,
        equality: str,
    ) -> None:
        """Open or create.

        Args:
            belongs: what the functions stand on (data, table, weights), by name.
            search: names the searcher and what it was told, for the time it takes.
            equality: what tells networks apart.

        Raises:
            ArtefactError: the file is no study, or one of something else, which is named.
            NasLoopError: the file cannot be opened or written.
        """
        self._path = Path(path)
        self._problem = problem
        self._search = search
        self._read = 0
        self._worker = workers.Worker(self._path)
        with self._saying():
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _connect(self._path)
        try:
            with self._saying():
                self._open(header(problem, belongs, equality))
                with self._transaction():
                    self._worker.enter(self._connection)
        except BaseException:
            self._worker.leave()
            self._connection.close()
            raise

    def _open(self, expected: Mapping[str, list[Any]]) -> None:
        # Before anything is written, which the next line does: it may be somebody else's file.
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            require_same(self._path, read_header(self._connection, self._path), expected)
        # No waiting for the disk after every batch: a killed process loses nothing, and a lost
        # machine a few batches at most.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                require_same(self._path, read_header(self._connection, self._path), expected)
                return
            columns = "".join(f", {_quoted(name)} REAL" for name in self._problem.names)
            self._connection.execute("CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT)")
            self._connection.execute(
                "CREATE TABLE evaluations (number INTEGER PRIMARY KEY, row TEXT, identity TEXT, "
                f"fidelity REAL{columns}, violation REAL, seconds REAL, generation INTEGER, "
                "origin TEXT, failure TEXT, UNIQUE (row, fidelity))"
            )
            self._connection.execute("CREATE TABLE searches (name TEXT PRIMARY KEY, seconds REAL)")
            self._connection.execute(workers.TABLE)
            pairs = [(key, json.dumps(value)) for key, value in expected.items()]
            self._connection.executemany("INSERT INTO study VALUES (?, ?)", pairs)

    def news(self) -> Records:
        """What the file holds and this object has neither read nor written, in order."""
        with self._saying(), self._transaction():
            return self._news()

    def seconds(self) -> float:
        """How long this search has taken before."""
        with self._saying():
            found = self._connection.execute(
                "SELECT seconds FROM searches WHERE name = ?", (self._search,)
            ).fetchone()
        return float(found[0]) if found else 0.0

    def claim(self, names: Collection[str]) -> tuple[set[str], Records]:
        """Those trials, by name, that this process is to evaluate, and what is new in the file.

        Neither what is in the file nor what another process is at is among them.
        """
        with self._saying(), self._transaction():
            news = self._news()
            return self._worker.claim(self._connection, set(names) - set(news.names())), news

    def append(self, records: Records, claimed: Collection[str], seconds: float) -> None:
        """Add evaluations, all or none; go on holding ``claimed``; the search took ``seconds``.

        What is there already stays, unless it had failed.

        Raises:
            NasLoopError: the disk is full or the file cannot be written.
        """
        problem = self._problem
        n = len(records)
        violation = np.maximum(problem.violations(records.values), 0).sum(axis=1)
        columns = [
            texts.written(records.rows),
            records.identities or [None] * n,
            records.fidelity.tolist(),
        ]
        columns += [*records.values.T.tolist(), violation.tolist(), records.seconds.tolist()]
        columns += [records.generations.tolist(), records.origins, records.failures]
        marks = ", ".join("?" * len(columns))
        said = [*problem.names, "violation", "seconds", "generation", "origin", "failure"]
        again = ", ".join(f"{name} = excluded.{name}" for name in map(_quoted, said))
        statement = (
            f"INSERT INTO evaluations VALUES (NULL, {marks}) ON CONFLICT (row, fidelity) DO UPDATE "
            f"SET {again} WHERE failure != ''"
        )
        with self._saying(), self._transaction():
            alone = self._last() == self._read
            self._connection.executemany(statement, zip(*columns, strict=True))
            if alone:
                self._read = self._last()
            self._worker.hold(self._connection, claimed)
            self._connection.execute(
                "INSERT OR REPLACE INTO searches VALUES (?, ?)", (self._search, seconds)
            )

    def let_go(self) -> None:
        """Claim nothing any more."""
        with self._saying(), self._transaction():
            self._worker.hold(self._connection, ())

    def close(self) -> None:
        """Leave one file behind."""
        try:
            with self._saying(), self._transaction():
                self._worker.close(self._connection)
        finally:
            self._worker.leave()
            self._connection.close()

    def _last(self) -> int:
        found = self._connection.execute("SELECT max(number) FROM evaluations").fetchone()[0]
        return int(found or 0)

    def _news(self) -> Records:
        records = _read(self._connection, self._problem, self._read)
        self._read = self._last()
        return records

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise NasLoopError(
                f"{self._path}: the study cannot be written or read ({error}); what was "
                "evaluated before stays in it: make room, or search into another file"
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
        found = read_header(connection, Path(path))
        if found["space"] != [space.name, space.identity]:
            require_same(Path(path), found, {**found, "space": [space.name, space.identity]})
        names = tuple(str(name) for name in found["objectives"])
        problem = Problem(space, names, {str(name): limit for name, limit in found["constraints"]})
        return problem, _read(connection, problem, 0)
    except sqlite3.DatabaseError as error:
        raise ArtefactError(f"{path}: not a study, or damaged ({error})") from error
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        # Transactions are opened by hand: where there is none, nothing is open.
        return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise NasLoopError(f"{path}: the study cannot be opened ({error})") from error


def _read(connection: sqlite3.Connection, problem: Problem, after: int) -> Records:
    """The evaluations with a number above ``after``."""
    columns = ", ".join(map(_quoted, problem.names))
    found = connection.execute(
        "SELECT row, identity, fidelity, seconds, generation, origin, failure, "
        f"{columns} FROM evaluations WHERE number > ? ORDER BY number",
        (after,),
    ).fetchall()
    rows, identities, fidelity, seconds, generations, origins, failures = (
        [line[column] for line in found] for column in range(7)
    )
    return Records(
        texts.read(rows, len(problem.space.choices)),
        np.array([line[7:] for line in found], dtype=np.float64).reshape(-1, len(problem.names)),
        np.array(fidelity, dtype=np.float64),
        np.array(seconds, dtype=np.float64),
        np.array(generations, dtype=np.int64),
        tuple(origins),
        tuple(failures),
        tuple(identities) if identities and identities[0] is not None else None,
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
