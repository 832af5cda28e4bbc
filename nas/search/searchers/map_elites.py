"""MAP-Elites: the best network of each kind, and children of those.

Mouret and Clune, "Illuminating search spaces by mapping elites" (2015). Kinds are the cells of an
archive over dimensions of the user's choice; quality is the first objective, after the limits.
One parent of a pair is any elite, as in the paper. The other is an elite that no other beats in all
objectives, since cells that are beaten everywhere (large, and no better) would else get most of the
children; Pierrot et al., "Multi-objective quality diversity optimization" (GECCO 2022), favour
fronts within cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.search.archive import Archive, Dimension, archive, best_of_cells
from nas.search.dimensions import usual_dimensions
from nas.search.pareto import nondominated
from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers import operators
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.stirred import stirred
from nas.search.seen import Seen
from nas.search.task import Task

# The part of elites that become parents while none keeps the limits: those nearest to them.
NEAREST = 0.25


class MapElites:
    """Over ``dimensions``; without any, over ``usual_dimensions``."""

    def __init__(
        self, task: Task, rng: np.random.Generator, dimensions: Sequence[Dimension] = ()
    ) -> None:
        self._space, self._rng = task.space, rng
        self._dimensions = tuple(dimensions) or usual_dimensions(task.space)
        choices, objectives = len(task.space.choices), len(task.problem.objectives)
        self._rows: Rows = np.empty((0, choices), dtype=np.int64)
        self._objectives = np.empty((0, objectives))
        self._excess = np.empty(0)
        self._seen = Seen()

    @property
    def archive(self) -> Archive:
        """The elites so far."""
        return archive(self._dimensions, self._rows, self._objectives[:, 0], self._excess)

    def ask(self, n: int) -> Population:
        """The smallest and largest network and random ones first, then children of elites."""
        if not len(self._rows):
            return Population(initial(self._space, n, self._seen, self._rng))
        make = stirred(self._space, self._children, self._rng)
        return Population(fresh(self._space, n, make, self._seen, self._rng))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Each network takes its cell if it is better than who is there."""
        excess = np.maximum(violations, 0).sum(axis=1)
        rows = np.concatenate([self._rows, population.rows])
        objectives = np.concatenate([self._objectives, objectives])
        excess = np.concatenate([self._excess, excess])
        cells = np.column_stack([dimension.cell(rows) for dimension in self._dimensions])
        _, kept = best_of_cells(cells, objectives[:, 0], excess)
        # Elites alone are remembered: nobody else can be one again.
        self._rows, self._objectives, self._excess = rows[kept], objectives[kept], excess[kept]

    def _children(self, n: int) -> Rows:
        able = np.flatnonzero(self._excess <= 0)
        if not len(able):
            able = np.argsort(self._excess, kind="stable")
            able = able[: max(1, round(NEAREST * len(able)))]
        best = able[nondominated(self._objectives[able])]
        pairs = -(-n // 2)
        mothers, fathers = self._rng.choice(able, pairs), self._rng.choice(best, pairs)
        parents = operators.fill_unread(
            self._space, self._rows[np.concatenate([mothers, fathers])], self._rng
        )
        children = operators.crossover(parents[:pairs], parents[pairs:], self._rng)
        children = self._space.canonical(operators.mutate(self._space, children, self._rng))
        # Not the first half of all, which would resemble mothers alone.
        return self._rng.permutation(children)[:n]
