"""Search, measure the front, correct the table by what was measured, and search on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latency_lut import Latency, LatencyTable, Network, refined
from nas.jobs import select
from nas.search import Study
from search_spaces.errors import InfeasibleError
from search_spaces.space import Population

__all__ = [
    "MOST_ROUNDS",
    "WITHIN",
    "Candidate",
    "Outcome",
    "Round",
    "figures",
    "most_measured",
    "search_in_rounds",
]

WITHIN = 0.02
"""How far predictions of the front may be from its measurements before the search goes on."""
MOST_ROUNDS = 3

Searching = Callable[[LatencyTable, int], Study]
Measuring = Callable[[LatencyTable, Population, int], "list[Candidate]"]
KnownGood = Callable[[LatencyTable], Population]
"""Networks that are worth measuring whatever a search says, canonical rows [n, choices]."""


@dataclass(frozen=True)
class Candidate:
    """A measured network: its ``row``, what ``front.json`` says of it, and its latency in full.

    ``latency`` is at the pace of the table.
    """

    row: tuple[int, ...]
    resolution: int
    point: dict[str, Any]
    latency: Latency

    def network(self) -> Network:
        """As the fit of a table takes it."""
        return Network(self.resolution, self.row, True, self.latency)


@dataclass(frozen=True)
class Round:
    """``measured`` networks were measured; ``off`` is by how much predictions are off, at most.

    Over the front of all that was measured until then, each relative to its measurement, by the
    table that the round searched with. A network that was measured earlier is in that table's fit.
    """

    measured: int
    off: float


@dataclass(frozen=True)
class Outcome:
    """All candidates, the last study, and how the rounds went."""

    candidates: list[Candidate]
    study: Study
    rounds: list[Round]

    @property
    def settled(self) -> bool:
        """Whether predictions hold on the front in the end."""
        return self.rounds[-1].off <= WITHIN


def search_in_rounds(
    search: Searching,
    measure: Measuring,
    table: LatencyTable,
    candidates: int,
    known_good: KnownGood | None = None,
) -> Outcome:
    """Rounds until predictions hold on the front, three at most.

    A search prefers what its predictions flatter, so networks just under the budget may turn out
    above it. Their measurements correct the table, and the next search, with that table, leads to
    others. ``candidates`` networks are measured in the first round, half as many in each later one.
    What is ``known_good`` by a table is measured beside them, each network once.

    ``search`` (table, number of the round from 1) and ``measure`` (table, rows, number) do the
    work. ``search`` raises ``InfeasibleError`` where no network is predicted within the budget;
    after the first round that ends the rounds.
    """
    done: list[Candidate] = []
    rounds: list[Round] = []
    known: set[tuple[int, ...]] = set()
    study: Study | None = None
    corrected = table
    for number in range(1, MOST_ROUNDS + 1):
        try:
            study = search(corrected, number)
        except InfeasibleError:
            if study is None:
                raise
            break
        picked = _picked(study, known, candidates if number == 1 else (candidates + 1) // 2)
        if known_good is not None:
            picked = _distinct([*picked.tolist(), *known_good(corrected).tolist()], known)
        if len(picked):
            done += measure(corrected, picked, number)
            known |= {candidate.row for candidate in done}
        rounds.append(Round(len(picked), _off(corrected, done)))
        if rounds[-1].off <= WITHIN or not len(picked):
            break
        if number < MOST_ROUNDS:
            corrected = refined(table, [candidate.network() for candidate in done])
    assert study is not None
    return Outcome(done, study, rounds)


def most_measured(candidates: int, known_good: int = 0) -> int:
    """How many networks all rounds together measure at most."""
    return known_good + candidates + (MOST_ROUNDS - 1) * ((candidates + 1) // 2)


def figures(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    """Measured latencies in ms, and scores."""
    return (
        [candidate.latency.latency_ms for candidate in candidates],
        [candidate.point["score"] for candidate in candidates],
    )


def _picked(study: Study, known: set[tuple[int, ...]], number: int) -> Population:
    """Up to ``number`` rows of the study's front that are not ``known``: [<= number, choices]."""
    front = [evaluation for evaluation in study.front() if evaluation.row not in known]
    if not front:
        return np.empty((0, 0), dtype=np.int64)
    error, latency, *others = (
        np.array([evaluation.objectives[name] for evaluation in front])
        for name in study.problem.objectives
    )
    rows = np.array([evaluation.row for evaluation in front])
    return rows[select.candidates(latency, error, number, others)]


def _distinct(rows: Sequence[Sequence[int]], known: set[tuple[int, ...]]) -> Population:
    """Those of ``rows`` that are not ``known``, each once."""
    found = [row for row in dict.fromkeys(map(tuple, rows)) if row not in known]
    return np.array(found, dtype=np.int64)


def _off(table: LatencyTable, done: Sequence[Candidate]) -> float:
    measured, scores = figures(done)
    kept = np.flatnonzero(select.on_front(measured, scores))
    predicted = table.predict(np.array([done[int(i)].row for i in kept]))
    return float(np.abs(predicted / np.array(measured)[kept] - 1).max())
