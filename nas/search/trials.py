"""What is asked for and not known is evaluated: once, by one process, and written down at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

import numpy as np

from nas.engine import Engine
from nas.search.equality import Identity
from nas.search.evaluate import Outcome, Piece, Work
from nas.search.problem import SearchError
from nas.search.searcher import Floats, Rows
from nas.search.store import Store
from nas.search.study import Numbers, Records, Study, trial_keys, trial_names

# How long to wait before looking again whether another process has done its part, in seconds.
WAIT = 0.05


class Trials:
    """Evaluations of a study, with its file where there is one."""

    def __init__(
        self,
        study: Study,
        store: Store | None,
        work: Work,
        identity: Identity | None,
        engine: Engine,
        piece: int | None,
        clock: Callable[[], float],
    ) -> None:
        """``piece``: how many rows are evaluated together and then stored; None for all.

        ``clock`` says how long the search has taken.
        """
        self._study = study
        self._store = store
        self._work = work
        self._identity = identity
        self._engine = engine
        self._piece = piece
        self._clock = clock

    def numbers(
        self, rows: Rows, fidelity: Floats, generation: int, origin: str, until: float | None = None
    ) -> Numbers:
        """The numbers in the study of canonical rows [n, choices]; evaluates what is unknown.

        One piece at least, and none after the search has taken ``until`` seconds: what is left then
        has -1.
        """
        found = self._study.find(rows, fidelity)
        unknown = np.flatnonzero(found < 0)
        if not len(unknown):
            return found
        # The first of equals alone.
        first = dict(zip(trial_keys(rows, fidelity)[::-1], range(len(rows))[::-1], strict=True))
        unknown = np.array(sorted(set(first.values()) & set(unknown.tolist())), dtype=np.int64)
        end = math.inf if until is None else until
        self._evaluate(rows[unknown], fidelity[unknown], generation, origin, end)
        return self._study.find(rows, fidelity)

    def _evaluate(
        self, rows: Rows, fidelity: Floats, generation: int, origin: str, end: float
    ) -> None:
        n = len(rows)
        identities = None if self._identity is None else tuple(self._identity(rows))
        blank = Records(
            rows,
            np.full((n, len(self._study.problem.names)), np.nan),
            fidelity,
            np.zeros(n),
            np.full(n, generation),
            (origin,) * n,
            ("",) * n,
            identities,
        )
        names = blank.names() if self._store is not None or identities is not None else None
        while len(todo := self._unknown(blank, names)):
            if self._store is not None and names is not None:
                mine, news = self._store.claim([names[i] for i in todo])
                self._learn(news)
                todo = np.array([i for i in todo if names[i] in mine], dtype=np.int64)
            if len(todo):
                self._try(blank, todo, names, end)
            else:
                time.sleep(WAIT)
            if self._clock() >= end:
                break
        if identities is not None:
            self._repeat(blank, identities)

    def _unknown(self, asked: Records, names: list[str] | None) -> Numbers:
        """Which of the trials [n] nobody has evaluated, equal ones once."""
        unknown = np.flatnonzero(self._study.find(asked.rows, asked.fidelity) < 0)
        if self._identity is None or names is None:
            return unknown
        first = {names[i]: i for i in reversed(unknown) if self._study.first(names[i]) < 0}
        return np.array(sorted(first.values()), dtype=np.int64)

    def _learn(self, records: Records) -> None:
        """Take in what another process has evaluated."""
        new = self._study.find(records.rows, records.fidelity) < 0
        if new.any():
            self._study.add(part(records, np.flatnonzero(new)))

    def _try(self, asked: Records, todo: Numbers, names: list[str] | None, end: float) -> None:
        size = self._piece or len(todo)
        pieces = [todo[start : start + size] for start in range(0, len(todo), size)]
        items = [Piece(asked.rows[piece], asked.fidelity[piece]) for piece in pieces]
        done: dict[int, Records] = {}
        try:
            for number, outcome in self._engine.map(self._work, items):
                if isinstance(outcome, SearchError):
                    # A function that answers for no row, or a machine: no failure of a network.
                    raise outcome
                done[number] = tried(part(asked, pieces[number]), outcome)
                waiting = [piece for other, piece in enumerate(pieces) if other not in done]
                held = [names[i] for piece in waiting for i in piece] if names else []
                self._write(done[number], held)
                if self._clock() >= end:
                    break
        finally:
            if len(done) < len(pieces) and self._store is not None:
                # Others need not wait for what is not done here.
                self._store.let_go()
        # In the order that they were asked in, whoever was the first to be done.
        for number in sorted(done):
            self._study.add(done[number])

    def _repeat(self, asked: Records, identities: tuple[str, ...]) -> None:
        """Give rows the values of equal networks."""
        left = np.flatnonzero(self._study.find(asked.rows, asked.fidelity) < 0)
        known = trial_names([identities[i] for i in left], asked.fidelity[left])
        numbers = np.array([self._study.first(name) for name in known], dtype=np.int64)
        left, numbers = left[numbers >= 0], numbers[numbers >= 0]
        if not len(left):
            return
        records = part(asked, left)
        failures = tuple(self._study.failure(int(number)) for number in numbers)
        outcome = Outcome(self._study.values(numbers), failures, np.zeros(len(left)))
        records = tried(records, outcome)
        self._write(records, ())
        self._study.add(records)

    def _write(self, records: Records, claimed: Collection[str]) -> None:
        if self._store is not None:
            self._store.append(records, claimed, self._clock())


def part(records: Records, numbers: Numbers) -> Records:
    """Some of the records, by their positions [m]."""
    identities = records.identities
    return Records(
        records.rows[numbers],
        records.values[numbers],
        records.fidelity[numbers],
        records.seconds[numbers],
        records.generations[numbers],
        tuple(records.origins[i] for i in numbers),
        tuple(records.failures[i] for i in numbers),
        None if identities is None else tuple(identities[i] for i in numbers),
    )


def tried(asked: Records, outcome: Outcome | Exception) -> Records:
    """The records of trials, with their outcome."""
    if isinstance(outcome, Exception):
        n = len(asked)
        said = f"{type(outcome).__name__}: {outcome}"
        outcome = Outcome(np.full_like(asked.values, np.nan), (said,) * n, np.zeros(n))
    return Records(
        asked.rows,
        outcome.values,
        asked.fidelity,
        outcome.seconds,
        asked.generations,
        asked.origins,
        outcome.failures,
        asked.identities,
    )
