"""Which processes are at work on a study, so that what one of them has begun no other begins.

A worker holds a lock on a file beside the study's for as long as it lives: the system lets go of
it however the process ends, and what a dead worker had begun is free again. Lock files come and go
within transactions of the study, so that whoever is in one sees each of them locked or left behind.
"""

from __future__ import annotations

import glob
import json
import os
import uuid
import weakref
from collections.abc import Collection
from pathlib import Path
from sqlite3 import Connection
from typing import IO

try:
    import fcntl
except ImportError:  # Not on Windows, where nobody keeps two processes from the same network.
    fcntl = None  # type: ignore[assignment]

TABLE = "CREATE TABLE workers (name TEXT PRIMARY KEY, claim TEXT)"
"""``claim``: the names of the trials that are under way, a list in JSON; empty for none."""


class Worker:
    """This process, as others see it. The caller holds the transactions."""

    def __init__(self, study: Path) -> None:
        self._study = study
        self.name = uuid.uuid4().hex[:12]
        self._lock: IO[str] | None = None

    def enter(self, connection: Connection) -> None:
        """Be seen, and forget who is gone. Raises ``OSError`` where no file can be made."""
        for (name,) in connection.execute("SELECT name FROM workers").fetchall():
            self._forget_dead(connection, name)
        for left in self._study.parent.glob(f"{glob.escape(self._study.name)}-worker-*"):
            # Of who was killed before others could know of it.
            if not _locked(left):
                left.unlink(missing_ok=True)
        connection.execute("INSERT INTO workers VALUES (?, '')", (self.name,))
        if fcntl is not None:
            self._lock = self._file(self.name).open("w", encoding="utf-8")
            _living.add(self)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # A file system without locks: there it is as on Windows.
                self.leave()

    def claim(self, connection: Connection, names: Collection[str]) -> set[str]:
        """Claim those trials that no living worker has begun, and return them."""
        free = set(names)
        others = connection.execute(
            "SELECT name, claim FROM workers WHERE name != ? AND claim != ''", (self.name,)
        ).fetchall()
        for other, claim in others:
            begun = free.intersection(json.loads(claim))
            if begun and not self._forget_dead(connection, other):
                free -= begun
        self.hold(connection, free)
        return free

    def hold(self, connection: Connection, names: Collection[str]) -> None:
        """Claim these and nothing else."""
        claim = json.dumps(sorted(names)) if names else ""
        connection.execute("UPDATE workers SET claim = ? WHERE name = ?", (claim, self.name))

    def close(self, connection: Connection) -> None:
        """Be gone."""
        try:
            connection.execute("DELETE FROM workers WHERE name = ?", (self.name,))
        finally:
            self.leave()

    def leave(self) -> None:
        """Let go of the lock, whatever the study's file says: others then see who is gone."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            self._file(self.name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._study.with_name(f"{self._study.name}-worker-{name}")

    def _forget_dead(self, connection: Connection, name: str) -> bool:
        """Whether the worker of that name is gone; if so it is forgotten."""
        if _locked(self._file(name)):
            return False
        connection.execute("DELETE FROM workers WHERE name = ?", (name,))
        self._file(name).unlink(missing_ok=True)
        return True

    def forked(self) -> None:
        """In a forked child: have no part in the lock, which would else outlive the parent."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _locked(file: Path) -> bool:
    """Whether a living process holds the lock on a worker's file."""
    try:
        # Shared, for which reading is enough: the file may be another user's.
        with file.open(encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):  # No such file; or no locks, and then nobody has claims.
        return False
    return False


# Functions that are searched may fork, as pools of processes do.
_living: weakref.WeakSet[Worker] = weakref.WeakSet()


def _forked() -> None:
    for worker in _living:
        worker.forked()


if fcntl is not None:
    os.register_at_fork(after_in_child=_forked)
