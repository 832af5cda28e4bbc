"""Local search: look at the neighbours of what is not dominated, until none is better.

White, Nolen and Savani, "Exploring the loss landscape in neural architecture search" (UAI 2021) for
one objective, Paquete, Chiarandini and Stützle, "Pareto local optimum sets in the biobjective
traveling salesman problem: an experimental study" (2004) for several. Where all neighbours of all
that is not dominated were looked at, it is a local optimum, and the next begins at random.
"""

from __future__ import annotations

import numpy as np

from nas.search.pareto import nondominated
from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.mating import initial
from nas.search.searchers.operators import neighbours
from nas.search.seen import Seen, keys
from nas.search.task import Task


class LocalSearch:
    """A front of networks, each with those of its neighbours that were not asked for yet.

    ``front`` [n, choices] are the ones that nothing told since the last start dominates; while none
    is feasible, the ones that violate least. Their neighbours take turns.
    """

    front: Rows
    _objectives: Floats
    _violation: Floats
    _open: dict[bytes, list[Rows]]

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space = task.space
        self._rng = rng
        self._seen = Seen()
        self._forget()

    def ask(self, n: int) -> Population:
        """Neighbours of the front, one of each member in turn; random rows where it has none."""
        rows = self._neighbours(n)
        if not len(rows):
            self._forget()
        return Population(
            np.concatenate([rows, initial(self._space, n - len(rows), self._seen, self._rng)])
        )

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """The front is that of all that was told since the last start."""
        if not len(population):
            return
        rows = np.concatenate([self.front, population.rows])
        values = np.concatenate([self._objectives.reshape(-1, objectives.shape[1]), objectives])
        violation = np.concatenate([self._violation, np.maximum(violations, 0).sum(axis=1)])
        least = np.flatnonzero(violation == violation.min())
        kept = least[nondominated(values[least])]
        self.front, self._objectives, self._violation = rows[kept], values[kept], violation[kept]
        names = keys(self.front)
        self._open = {key: self._open[key] for key in names if key in self._open}
        for key, row in zip(names, self.front, strict=True):
            if key not in self._open:
                around = neighbours(self._space, row)
                self._open[key] = list(self._rng.permutation(around))

    def _forget(self) -> None:
        self.front = np.empty((0, len(self._space.choices)), dtype=np.int64)
        self._objectives = np.empty((0, 1))
        self._violation = np.empty(0)
        self._open = {}

    def _neighbours(self, n: int) -> Rows:
        """At most ``n`` neighbours of the front that were not asked for."""
        found: list[Rows] = []
        while len(found) < n:
            waiting = [row for row in self._open.values() if row]
            if not waiting:
                break
            self._rng.shuffle(waiting)
            turn = np.stack([rows.pop() for rows in waiting[: n - len(found)]])
            found += list(turn[self._seen.add(turn)])
        return np.array(found, dtype=np.int64).reshape(-1, len(self._space.choices))
