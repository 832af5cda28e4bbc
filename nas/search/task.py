"""What a searcher is told before it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nas.search.problem import Problem
from nas.search.searcher import Floats, Rows
from search_spaces.space import Space


@dataclass(frozen=True, eq=False)
class Task:
    """A problem, and what may be known of networks without evaluating them.

    Attributes:
        problem: space, objectives in their order, limits.
        free: objectives and limited functions that cost next to nothing (counts, tables), by
            name. A searcher may ask them about any rows [n, choices] as often as it likes; the
            study does not hear of it.
        evaluations: how many networks the search is to evaluate; None where something else ends it.
        graded: whether a function takes fidelities, so that cheaper trials make sense.
        least: the fidelity below which no trial is cheaper.
    """

    problem: Problem
    free: Mapping[str, Callable[[Rows], Floats]] = field(default_factory=dict)
    evaluations: int | None = None
    graded: bool = False
    least: float = 0.0

    @property
    def space(self) -> Space:
        """What is searched."""
        return self.problem.space

    def known(self, rows: Rows, limited: bool = False) -> Floats:
        """Values [n, names] of rows [n, choices] in the order of ``problem.names``; NaN where a
        function is not free, or not ``limited`` where only those are wanted."""
        values = np.full((len(rows), len(self.problem.names)), np.nan)
        for column, name in enumerate(self.problem.names):
            if name in self.free and (not limited or name in self.problem.limits):
                values[:, column] = self.free[name](rows)
        return values
