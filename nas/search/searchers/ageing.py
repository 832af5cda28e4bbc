"""Regularised evolution: the oldest die, however good they are.

Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier architecture search" (AAAI
2019). The best of a sample of the population is copied with one mutation; the copy joins, the
oldest leaves. A network that was lucky once is forgotten unless its children are good too.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers import operators
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.operators import Positions
from nas.search.searchers.scalarise import contests, extent
from nas.search.seen import Seen
from nas.search.task import Task

# The paper's population; a short search has a sixteenth of its evaluations as population.
LARGEST, SMALLEST, PART = 100, 10, 16
# The paper's sample is a quarter of the population. Where each sample weighs the objectives its own
# way a larger one loses no variety.
SAMPLE, SAMPLE_OF_SEVERAL = 4, 2


class Ageing:
    """A queue of ``size`` networks, the oldest first.

    A sample is a quarter of the queue, with several objectives a half; its best is the one that
    violates least, then the one with the least objective, or the least by weights of the sample's
    own.
    """

    def __init__(self, task: Task, rng: np.random.Generator, size: int = 0) -> None:
        self._space = task.space
        self._rng = rng
        evaluations = task.evaluations or LARGEST * PART
        self._size = size or min(max(evaluations // PART, SMALLEST), LARGEST)
        self._seen = Seen()
        self.rows: Rows = np.empty((0, len(self._space.choices)), dtype=np.int64)
        self._objectives: Floats = np.empty((0, len(task.problem.objectives)))
        self._violation: Floats = np.empty(0)

    def ask(self, n: int) -> Population:
        """Random networks until the queue is full, mutated ones ever after."""
        if len(self.rows) < self._size:
            return Population(initial(self._space, n, self._seen, self._rng))
        return Population(fresh(self._space, n, self._mutants, self._seen, self._rng))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Those told join the queue at its end, and as many leave it at its head."""
        total = np.maximum(violations, 0).sum(axis=1)
        self.rows = np.concatenate([self.rows, population.rows])[-self._size :]
        self._objectives = np.concatenate([self._objectives, objectives])[-self._size :]
        self._violation = np.concatenate([self._violation, total])[-self._size :]

    def _mutants(self, n: int) -> Rows:
        copies = operators.fill_unread(self._space, self.rows[self.winners(n)], self._rng)
        return operators.mutate_one(self._space, copies, self._rng)

    def winners(self, n: int) -> Positions:
        """Who is the best of each of ``n`` samples: positions in the queue [n]."""
        members, objectives = self._objectives.shape
        sampled = max(members // (SAMPLE if objectives == 1 else SAMPLE_OF_SEVERAL), 1)
        found = contests(
            self._objectives,
            self._violation,
            extent(self._objectives),
            (n, 1),
            sampled,
            self._rng,
        )
        return found[:, 0]
