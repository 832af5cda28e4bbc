"""The engine of a command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from nas.engine import Engine, opened

__all__ = ["engine_of"]


@contextlib.contextmanager
def engine_of(name: str) -> Iterator[Engine]:
    """The engine of that name, until the block ends; raises ``EngineError`` as ``opened`` does.

    What it prints meanwhile (Ray tells of workers that were lost) goes to standard error: standard
    output is the result's.
    """
    with contextlib.redirect_stdout(sys.stderr), opened(name) as engine:
        yield engine
