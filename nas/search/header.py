"""What a study's file says that it belongs to: a file of another search is refused."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.search.problem import Problem
from search_spaces.errors import ArtefactError

FORMAT = 2
HASH, SHOWN = re.compile(r"\b[0-9a-f]{64}\b"), 12
KEYS = {"format", "space", "objectives", "constraints", "equality", "belongs"}

Header = Mapping[str, list[Any]]
"""Values that JSON knows, by ``KEYS``."""


def header(problem: Problem, belongs: Mapping[str, str], equality: str) -> Header:
    """That of a study of ``problem``; see ``Store`` for the rest."""
    return {
        "format": [FORMAT],
        "space": [problem.space.name, problem.space.identity],
        "objectives": list(problem.objectives),
        "constraints": [[name, limit] for name, limit in problem.limits.items()],
        "equality": [equality],
        "belongs": [[name, belongs[name]] for name in sorted(belongs)],
    }


def read_header(connection: sqlite3.Connection, path: Path) -> Header:
    """That of an open file. Raises ``ArtefactError`` where it is no study of this version,
    and ``sqlite3.OperationalError`` where another process has it locked."""
    try:
        found = {k: json.loads(v) for k, v in connection.execute("SELECT key, value FROM study")}
    except (sqlite3.DatabaseError, ValueError) as error:
        if is_locked(error):
            raise
        raise ArtefactError(f"{path}: not a study, or damaged ({error})") from error
    if found.get("format") != [FORMAT] or set(found) != KEYS:
        raise ArtefactError(
            f"{path}: study format {found.get('format')} is not [{FORMAT}], the one this version "
            "reads; search into another file"
        )
    return found


def require_same(path: Path, found: Header, expected: Header) -> None:
    """Raises ``ArtefactError`` where the headers differ, and says in what."""
    differing = [
        f"{key} {there} there, {here} here"
        for key, value in expected.items()
        if found.get(key) != value
        for there, here in [_apart(found.get(key) or [], value)]
    ]
    if differing:
        raise ArtefactError(
            f"{path}: the study of another search ({'; '.join(differing)}); search into another "
            "file or remove this one"
        )


def _apart(there: list[Any], here: list[Any]) -> tuple[str, str]:
    """Two values of a key in words, by what differs in them; of hashes their first digits."""
    both = there, here
    if all(isinstance(one, list) for one in (*there, *here)):
        apart = [[one for one in both[i] if one not in both[1 - i]] for i in (0, 1)]
        there, here = apart if any(apart) else both
    first, second = (", ".join(_worded(one) for one in side) or "none" for side in (there, here))
    return first, second


def _worded(value: Any) -> str:
    said = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return HASH.sub(lambda found: found[0][:SHOWN], said)


def is_locked(error: Exception) -> bool:
    """Whether SQLite says that another process has the file, whatever else it says of that."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
