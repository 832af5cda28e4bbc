"""Evolution beside climbs: NSGA-II finds where to look, exchanges find the best network there.

Ishibuchi and Murata, "A multi-objective genetic local search algorithm and its application to
flowshop scheduling" (IEEE Transactions on Systems, Man, and Cybernetics C 1998).
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Searcher
from nas.search.searchers.evolved import Evolved
from nas.search.searchers.exchanges import Exchanges, aims
from nas.search.searchers.nsga2 import nsga2
from nas.search.seen import Seen
from nas.search.task import Task

# The part of what is asked for at once that climbs may have.
SHARE = 0.5


class Memetic:
    """Survivors are chosen among all, whoever proposed them."""

    def __init__(self, evolved: Evolved, climbs: list[Exchanges], rng: np.random.Generator) -> None:
        """Both know of the same rows that were asked for before."""
        self._evolved = evolved
        self._climbs = climbs
        self._rng = rng

    def ask(self, n: int) -> Population:
        """What the climbs want to know, and children, in random order.

        What a climb asks for is alike: where it fails it fails together, and many failures in a
        row end a search. Until the first climb it is evolution alone, by the same random numbers.
        """
        climbs = [climb for climb in self._climbs if not climb.ended]
        each = int(SHARE * n) // max(len(climbs), 1)
        climbed = [climb.ask(each) for climb in climbs]
        wanted = n - sum(map(len, climbed))
        children = self._evolved.ask(wanted)
        if wanted == n:
            return children
        return Population(self._rng.permutation(np.concatenate([*climbed, children.rows])))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """All learn of all."""
        for climb in self._climbs:
            climb.tell(population.rows, objectives, violations)
        self._evolved.tell(population, objectives, violations)


def memetic(task: Task, rng: np.random.Generator) -> Searcher:
    """NSGA-II, and where anything is limited climbs for the objectives that limits are spent on."""
    if not task.problem.limits:
        return nsga2(task, rng)
    seen = Seen()
    columns = aims(task.problem.objectives, task.problem.limits)
    climbs = [Exchanges(task.space, rng, seen, column) for column in columns]
    return Memetic(nsga2(task, rng, seen=seen), climbs, rng)
