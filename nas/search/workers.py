"""Which processes are at work on a study, so that what one of them has begun no other begins.

A worker holds a lock on a file beside the study's for as long as it lives: the system lets go of
it however the process ends, and what a dead worker had begun is free again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from pathlib import Path
from sqlite3 import Connection
from typing import IO

try:
    import fcntl
except ImportError:  # Not on Windows, where nobody keeps two processes from the same network.
    fcntl = None  # type: ignore[assignment]

TABLE = "CREATE TABLE workers (name TEXT PRIMARY KEY, claim TEXT)"
"""``claim``: the names of the trials that are under way, one a line."""


class Worker:
    """This process, as others see it. The caller holds the transactions."""

    def __init__(self, study: Path) -> None:
        self._study = study
        self.name = uuid.uuid4().hex[:12]
        self._lock: IO[str] | None = None
        if fcntl is not None:
            self._lock = self._file(self.name).open("w", encoding="utf-8")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # A file system without locks: there it is as on Windows.
                self._leave()

    def enter(self, connection: Connection) -> None:
        """Be seen, and forget who is gone."""
        for (name,) in connection.execute("SELECT name FROM workers").fetchall():
            self._forget_dead(connection, name)
        connection.execute("INSERT INTO workers VALUES (?, '')", (self.name,))

    def claim(self, connection: Connection, names: Collection[str]) -> set[str]:
        """Claim those trials that no living worker has begun, and return them."""
        free = set(names)
        others = connection.execute(
            "SELECT name, claim FROM workers WHERE name != ? AND claim != ''", (self.name,)
        ).fetchall()
        for other, claim in others:
            begun = free.intersection(claim.split("\n"))
            if begun and not self._forget_dead(connection, other):
                free -= begun
        self.hold(connection, free)
        return free

    def hold(self, connection: Connection, names: Collection[str]) -> None:
        """Claim these and nothing else."""
        connection.execute(
            "UPDATE workers SET claim = ? WHERE name = ?", ("\n".join(sorted(names)), self.name)
        )

    def close(self, connection: Connection) -> None:
        """Be gone."""
        try:
            connection.execute("DELETE FROM workers WHERE name = ?", (self.name,))
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            self._file(self.name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._study.with_name(f"{self._study.name}-worker-{name}")

    def _forget_dead(self, connection: Connection, name: str) -> bool:
        """Whether the worker of that name is gone; if so it is forgotten."""
        if self._lives(name):
            return False
        connection.execute("DELETE FROM workers WHERE name = ?", (name,))
        self._file(name).unlink(missing_ok=True)
        return True

    def _lives(self, name: str) -> bool:
        try:
            with self._file(name).open("r+", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (OSError, AttributeError):  # No such file; or no locks, and then nobody has claims.
            return False
        return False
