"""All that a searcher was told, as matrices."""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows


class History:
    """``rows`` [n, choices], ``objectives`` [n, k] and ``violations`` [n, c], oldest first."""

    def __init__(self) -> None:
        self._parts: list[tuple[Rows, Floats, Floats]] = []

    def add(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """What ``Searcher.tell`` was called with; a population of none leaves no trace."""
        if len(population):
            self._parts.append((population.rows, objectives, violations))

    def __len__(self) -> int:
        return sum(len(rows) for rows, _, _ in self._parts)

    @property
    def rows(self) -> Rows:
        return self._joined()[0]

    @property
    def objectives(self) -> Floats:
        return self._joined()[1]

    @property
    def violations(self) -> Floats:
        return self._joined()[2]

    def _joined(self) -> tuple[Rows, Floats, Floats]:
        if len(self._parts) > 1:
            rows, objectives, violations = zip(*self._parts, strict=True)
            joined = np.concatenate(rows), np.concatenate(objectives), np.concatenate(violations)
            self._parts = [joined]
        return self._parts[0]
