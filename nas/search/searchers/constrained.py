"""OFA's evolution: networks above a limit are not evaluated, they are not even proposed.

Cai, Gan, Wang, Zhang and Han, "Once-for-all: train one network and specialize it for efficient
deployment" (ICLR 2020), the evolutionary search of its published code: the best quarter of the
population are parents; half of their children are mutated copies, half are crossed; a child above
the limit is drawn again.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers import operators
from nas.search.searchers.elite import Elite
from nas.search.searchers.mating import Parents, fresh
from nas.search.searchers.within import CHANCE, Within
from nas.search.seen import Seen
from nas.search.task import Task

# The published code's: what part of a population are parents, and what part of the children are
# mutated.
PARENTS, MUTATED = 0.25, 0.5
# In small batches more are parents, for a front needs some.
FEWEST = 10
# Children are drawn in surplus, for some will be above a limit: by the share that the last were
# within, but not many times as many.
SPARE, LEAST_KEPT = 1.1, 0.1


class Constrained:
    """A population of as many networks as are asked for at once.

    Limits on free functions hold for all that is asked. Others are kept as evolution keeps them:
    who violates less is better. With several objectives, of which the paper has one, parents are
    the best by front and crowding.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space = task.space
        self._rng = rng
        self._seen = Seen()
        self._elite: Elite | None = None
        self._parents: Parents | None = None
        self._within = Within(task, rng)

    def ask(self, n: int) -> Population:
        """Random networks within the limits first, children within them ever after.

        Raises:
            InfeasibleError: no network was found that keeps all limits on free functions.
        """
        if self._elite is None:
            self._elite = Elite(max(round(PARENTS * n), FEWEST))
        if self._parents is None:
            return Population(self._within.initial(n, self._seen))
        keeps = self._within.keeps
        return Population(fresh(self._space, n, self._children, self._seen, self._rng, keeps))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Parents of the next are the best among these and the parents before."""
        if len(population) and self._elite is not None:
            self._elite.add(population.rows, objectives, violations)
            self._parents = Parents(self._space, self._elite.rows)

    def _children(self, n: int) -> Rows:
        """So many that about ``n`` of them are within the limits."""
        assert self._parents is not None
        drawn = round(n * SPARE / max(self._within.share, LEAST_KEPT))
        mutants = round(MUTATED * drawn)
        one, two = self._rng.integers(0, len(self._parents), (2, drawn))
        first = self._parents.copies(one, self._rng)
        second = self._parents.copies(two[mutants:], self._rng)
        crossed = np.where(self._rng.random(second.shape) < 0.5, first[mutants:], second)
        mutated = operators.mutate(self._space, first[:mutants], self._rng, CHANCE)
        # Shuffled, because some at the end will not be needed.
        return self._rng.permutation(np.concatenate([mutated, crossed]))
