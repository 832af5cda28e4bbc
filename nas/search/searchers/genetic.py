"""A genetic algorithm that knows one number: pymoo's, with vectorised mating.

Goldberg, "Genetic algorithms in search, optimization, and machine learning" (1989). Several
objectives become one by weights, which each couple of parents is chosen by anew, among the best
that are remembered (Ishibuchi and Murata, "A multi-objective genetic local search algorithm and its
application to flowshop scheduling", IEEE Transactions on Systems, Man, and Cybernetics C 1998).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searcher import Floats, Population, Rows, Searcher
from nas.search.searchers import operators
from nas.search.searchers.elite import Elite
from nas.search.searchers.evolved import SMALLEST, Choose, Evolved, Method
from nas.search.searchers.mating import Parents, fresh, initial
from nas.search.searchers.scalarise import contests, extent
from nas.search.seen import Seen
from nas.search.task import Task

# With several objectives, how many parents there are for each network that is asked for at once;
# and what part of them a parent is the best of, by the weights of its couple.
PARENTS, SAMPLE = 1, 4


def genetic(task: Task, rng: np.random.Generator) -> Searcher:
    """The searcher: for one objective pymoo's, in ``Evolved``."""
    if len(task.problem.objectives) == 1:
        return Evolved(task, rng, Method(_start, _parents))
    return Weighted(task, rng)


class Weighted:
    """The best by front and crowding are parents; constraints go before objectives."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space = task.space
        self._rng = rng
        self._seen = Seen()
        self._elite: Elite | None = None

    def ask(self, n: int) -> Population:
        """The smallest, the largest and random networks first, children ever after."""
        if self._elite is None:
            self._elite = Elite(PARENTS * max(n, SMALLEST))
        if not len(self._elite):
            return Population(initial(self._space, n, self._seen, self._rng))
        return Population(fresh(self._space, n, self._children, self._seen, self._rng))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Who is better than the parents becomes one."""
        if len(population) and self._elite is not None:
            self._elite.add(population.rows, objectives, violations)

    def _children(self, n: int) -> Rows:
        assert self._elite is not None
        couples = -(-n // 2)
        sampled = max(len(self._elite) // SAMPLE, 1)
        first, second = contests(
            self._elite.objectives,
            self._elite.violation,
            extent(self._elite.objectives),
            (couples, 2),
            sampled,
            self._rng,
        ).T
        return Parents(self._space, self._elite.rows).children(first, second, self._rng)


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
