"""The baseline: random rows, none twice."""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population
from nas.search.seen import Seen, unseen
from nas.search.task import Task


class RandomSearch:
    """Rows uniform over choices; deaf to what it is told."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space = task.space
        self._rng = rng
        self._seen = Seen()

    def ask(self, n: int) -> Population:
        return Population(unseen(self._space, n, self._rng, self._seen))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Nothing is learnt from it."""
