"""A study that is open: networks are evaluated into it, and into its file where it has one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nas.engine import LOCAL, Engine
from nas.search.equality import Identity, identity
from nas.search.evaluate import Work
from nas.search.problem import Function, Problem
from nas.search.searcher import Floats, Rows
from nas.search.store import Store
from nas.search.study import Numbers, Study
from nas.search.trials import Trials, part


class Session:
    """Evaluates for whoever asks, each network once, until it is closed."""

    def __init__(
        self,
        problem: Problem,
        functions: Mapping[str, Function],
        origin: str,
        *,
        told: tuple[int, ...] = (),
        path: str | Path | None = None,
        belongs: Mapping[str, str] | None = None,
        equality: str | Identity = "plan",
        piece: int | None = None,
        engine: Engine = LOCAL,
        retry: bool = False,
    ) -> None:
        """``functions`` are in the order of the problem's names; the rest is as in ``minimize``.

        ``origin`` is who asks; with ``told`` (its batch, its seed) it is known again when it is
        resumed, and with it how long it has taken.
        """
        self.study = Study(problem)
        self._origin = origin
        self._store: Store | None = None
        self._began = time.monotonic()
        telling = identity(problem.space, equality)
        if path is not None:
            search = json.dumps([origin, *told])
            self._store = Store(path, problem, belongs or {}, search, _name(equality))
            try:
                self._recall(self._store, retry)
            except BaseException:
                self._store.close()
                raise
        work = Work(problem.space, functions)
        self._trials = Trials(self.study, self._store, work, telling, engine, piece, self.seconds)

    def _recall(self, store: Store, retry: bool) -> None:
        records = store.news()
        kept = [i for i, said in enumerate(records.failures) if not (said and retry)]
        self.study.add(part(records, np.array(kept, dtype=np.int64)))
        self._began -= store.seconds()

    def seconds(self) -> float:
        """How long it has taken, what it took before it was resumed included."""
        return time.monotonic() - self._began

    def numbers(
        self, rows: Rows, fidelity: Floats, generation: int = 0, until: float | None = None
    ) -> Numbers:
        """The numbers in the study of canonical rows [n, choices] at fidelities [n].

        When it has taken ``until`` seconds in all, no other piece is begun; the number of what is
        not evaluated then is -1.
        """
        return self._trials.numbers(rows, fidelity, generation, self._origin, until)

    def evaluate(self, rows: Rows) -> Floats:
        """Values [n, names] of canonical rows [n, choices], NaN where a network has none."""
        return self.study.values(self.numbers(rows, np.ones(len(rows))))

    def close(self) -> None:
        """Let go of the file."""
        if self._store is not None:
            self._store.close()
            self._store = None


def _name(equality: str | Identity) -> str:
    if isinstance(equality, str):
        return equality
    return str(getattr(equality, "__qualname__", type(equality).__qualname__))
