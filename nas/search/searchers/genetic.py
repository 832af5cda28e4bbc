"""A genetic algorithm that knows one number: pymoo's, with vectorised mating.

Goldberg, "Genetic algorithms in search, optimization, and machine learning" (1989). Several
objectives become one by weights; each generation has weights of its own and begins with what is
best by them among all that is worth remembering, so that the front is visited place by place
(Ishibuchi and Murata, "A multi-objective genetic local search algorithm and its application to
flowshop scheduling", IEEE Transactions on Systems, Man, and Cybernetics C 1998).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searcher import Floats, Population
from nas.search.searchers import operators
from nas.search.searchers.elite import Elite
from nas.search.searchers.evolved import Choose, Evolved, Method
from nas.search.searchers.scalarise import Weighing
from nas.search.seen import Seen
from nas.search.task import Task

# How many of the best are remembered for weights to come.
REMEMBERED = 1_000


class Genetic:
    """A population of ``size`` survivors, as in ``Evolved``; constraints go before objectives."""

    def __init__(self, task: Task, rng: np.random.Generator, size: int = 0) -> None:
        self._task = task
        self._rng = rng
        self._size = size
        self._seen = Seen()
        self._elite = Elite(REMEMBERED)
        self._weighing: Weighing | None = None
        self._inner = self._begin()

    def ask(self, n: int) -> Population:
        """As ``Evolved``, from the population under the weights of the time."""
        asked = self._inner.ask(n)
        self._size = self._inner.size
        return asked

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Survivors are chosen by the weights of the time, which change with generations."""
        if not len(population):
            return
        self._elite.add(population.rows, objectives, violations)
        if self._weighing is None or objectives.shape[1] > 1:
            self._weighing = Weighing.drawn(self._elite.feasible, self._rng)
            self._inner = self._begin()
            best = np.lexsort((self._weighing(self._elite.objectives), self._elite.violation))
            best = best[: max(self._size, len(population))]
            population = Population(self._elite.rows[best])
            objectives = self._elite.objectives[best]
            violations = self._elite.violation[best, None]
        total = np.maximum(violations, 0).sum(axis=1, keepdims=True)
        self._inner.tell(population, self._weighing(objectives)[:, None], total)

    def _begin(self) -> Evolved:
        return Evolved(self._task, self._rng, Method(_start, _parents), self._size, self._seen)


def _start(size: int, objectives: int) -> Any:
    from pymoo.algorithms.soo.nonconvex.ga import GA

    return GA(pop_size=size, output=None)


def _parents(algorithm: Any) -> tuple[Any, Choose]:
    members = algorithm.pop
    values, violation = (column[:, 0] for column in members.get("F", "CV"))

    def choose(n: int, rng: np.random.Generator) -> operators.Positions:
        a, b = operators.pairs(len(violation), n, rng)
        return operators.winners((a, b), [violation[b] - violation[a], values[b] - values[a]], rng)

    return members, choose
