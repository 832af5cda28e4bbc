"""All that a search has evaluated, and the front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.search.pareto import nondominated
from nas.search.problem import Problem
from nas.search.searcher import Floats, Rows
from nas.search.seen import keys
from search_spaces.architecture import Architecture


@dataclass(frozen=True)
class Evaluation:
    """One network: ``row`` and ``architecture``, what it is worth, where it came from.

    ``constraints`` holds the values that are limited; one that is an objective stands in both.
    """

    row: tuple[int, ...]
    architecture: Architecture
    objectives: Mapping[str, float]
    constraints: Mapping[str, float]
    feasible: bool
    generation: int
    origin: str


@dataclass(frozen=True, eq=False)
class Records:
    """Evaluations as columns: rows [n, choices], values [n, names], generation, origin [n]."""

    rows: Rows
    values: Floats
    generations: npt.NDArray[np.int64]
    origins: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)


class Study:
    """The memory of a search. Rows are canonical, and each is in it once."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._parts: list[Records] = []
        self._where: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._where)

    def add(self, records: Records) -> None:
        """Remember rows that are not known yet, each given once."""
        start = len(self)
        self._parts.append(records)
        self._where.update((key, start + i) for i, key in enumerate(keys(records.rows)))

    def find(self, rows: Rows) -> npt.NDArray[np.int64]:
        """The numbers of canonical rows [n, choices] in ``records``; -1 for what is unknown."""
        return np.array([self._where.get(key, -1) for key in keys(rows)], dtype=np.int64)

    @property
    def records(self) -> Records:
        """Everything, in the order of evaluation."""
        if len(self._parts) != 1:
            names, choices = len(self.problem.names), len(self.problem.space.choices)
            parts = self._parts or [
                Records(
                    np.empty((0, choices), dtype=np.int64),
                    np.empty((0, names)),
                    np.empty(0, dtype=np.int64),
                    (),
                )
            ]
            joined = Records(
                np.concatenate([part.rows for part in parts]),
                np.concatenate([part.values for part in parts]),
                np.concatenate([part.generations for part in parts]),
                tuple(origin for part in parts for origin in part.origins),
            )
            self._parts = [joined]
        return self._parts[0]

    @property
    def feasible(self) -> npt.NDArray[np.bool_]:
        """Which of the records keep all limits: [n]."""
        excess = self.problem.violations(self.records.values)
        return np.asarray((excess <= 0).all(axis=1), dtype=np.bool_)

    def front(self) -> list[Evaluation]:
        """The feasible networks that no feasible one dominates, the first objective ascending."""
        feasible = np.flatnonzero(self.feasible)
        objectives = self.problem.objective_values(self.records.values)
        best = feasible[nondominated(objectives[feasible])]
        order = np.lexsort(objectives[best].T[::-1])
        return [self.evaluation(int(number)) for number in best[order]]

    def evaluations(self) -> list[Evaluation]:
        """Everything, in the order of evaluation."""
        return [self.evaluation(number) for number in range(len(self))]

    def evaluation(self, number: int) -> Evaluation:
        """One of the records."""
        records, problem = self.records, self.problem
        values = dict(zip(problem.names, records.values[number].tolist(), strict=True))
        row = records.rows[number]
        return Evaluation(
            tuple(row.tolist()),
            problem.space.decode(row),
            {name: values[name] for name in problem.objectives},
            {name: values[name] for name in problem.limits},
            bool((problem.violations(records.values[[number]]) <= 0).all()),
            int(records.generations[number]),
            records.origins[number],
        )
