"""What a searcher was told: rows, objectives and violations, each row once."""

from __future__ import annotations

import numpy as np

from nas.search.pareto import nondominated
from nas.search.searcher import Floats, Population, Rows
from nas.search.seen import Seen
from search_spaces.space import Space


class History:
    """``rows`` [n, choices], ``objectives`` [n, k] and ``violations`` [n, c] in order of telling.

    A row that is told again keeps its first values.
    """

    def __init__(self, space: Space) -> None:
        self.rows: Rows = np.empty((0, len(space.choices)), dtype=np.int64)
        self.objectives: Floats = np.empty((0, 0))
        self.violations: Floats = np.empty((0, 0))
        self._known = Seen()

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Append what is new of rows [n, choices], objectives [n, k], violations [n, c]."""
        if not len(population):
            return
        fresh = self._known.add(population.rows)
        if not len(self):
            self.objectives, self.violations = objectives[:0], violations[:0]
        self.rows = np.concatenate([self.rows, population.rows[fresh]])
        self.objectives = np.concatenate([self.objectives, objectives[fresh]])
        self.violations = np.concatenate([self.violations, violations[fresh]])

    def front(self) -> Rows:
        """Positions [f] of the feasible rows that no feasible one dominates; of equals the first.

        Where none is feasible it is the one row that violates least.
        """
        excess = np.maximum(self.violations, 0).sum(axis=1)
        feasible = np.flatnonzero(excess <= 0)
        if not len(feasible):
            return np.array([excess.argmin()])
        best = feasible[nondominated(self.objectives[feasible])]
        first = np.unique(self.objectives[best], axis=0, return_index=True)[1]
        return np.sort(best[first])

    def typical(self, most: int, rng: np.random.Generator) -> Rows:
        """Positions [at most ``most``] of rows to learn from: half the best, half by chance.

        The best are the feasible ones, front by front, then those that violate least.
        """
        if len(self) <= most:
            return np.arange(len(self))
        excess = np.maximum(self.violations, 0).sum(axis=1)
        left, best = np.flatnonzero(excess <= 0), [np.empty(0, dtype=np.int64)]
        while sum(map(len, best)) < most // 2 and len(left):
            of_front = nondominated(self.objectives[left])
            best.append(left[of_front])
            left = left[~of_front]
        order = np.argsort(excess, kind="stable")
        best.append(order[excess[order] > 0])
        chosen = np.concatenate(best)[: most // 2]
        rest = np.setdiff1d(np.arange(len(self)), chosen)
        chance = rng.choice(rest, most - len(chosen), replace=False)
        return np.sort(np.concatenate([chosen, chance]))
