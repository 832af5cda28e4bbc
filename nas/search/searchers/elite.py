"""The best of what was told, and no more than that."""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Rows
from nas.search.searchers.ranking import best_first


class Elite:
    """At most ``most`` networks, the best first.

    ``rows`` [n, choices], ``objectives`` [n, k] and ``violation`` [n], 0 where feasible.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.rows: Rows = np.empty((0, 0), dtype=np.int64)
        self.objectives: Floats = np.empty((0, 0))
        self.violation: Floats = np.empty(0)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def feasible(self) -> Floats:
        """The objectives of those that violate least, which is nothing if any is feasible."""
        return self.objectives[self.violation <= self.violation[0]]

    def add(self, rows: Rows, objectives: Floats, violations: Floats) -> None:
        """Take in rows [n, choices] with objectives [n, k] and violations [n, c]."""
        violation = np.maximum(violations, 0).sum(axis=1)
        if len(self):
            rows = np.concatenate([self.rows, rows])
            objectives = np.concatenate([self.objectives, objectives])
            violation = np.concatenate([self.violation, violation])
        best = best_first(objectives, violation)[: self._most]
        self.rows, self.objectives = rows[best], objectives[best]
        self.violation = violation[best]
