"""OFA's evolution: networks above a limit are not evaluated, they are not even proposed.

Cai, Gan, Wang, Zhang and Han, "Once-for-all: train one network and specialize it for efficient
deployment" (ICLR 2020), the evolutionary search of its published code: the best quarter of the
population are parents; half of their children are mutated copies, half are crossed; a child above
the limit is drawn again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.reachable import smallest
from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers import operators
from nas.search.searchers.elite import Elite
from nas.search.searchers.mating import Parents, fresh
from nas.search.seen import Seen, unseen
from nas.search.task import Task
from search_spaces.errors import InfeasibleError

# The published code's: what part of a population are parents, what part of the children are
# mutated, and how likely each choice of those is to change.
PARENTS, MUTATED, CHANCE = 0.25, 0.5, 0.1
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
        self._task = task
        self._space = task.space
        self._rng = rng
        self._seen = Seen()
        self._elite: Elite | None = None
        self._parents: Parents | None = None
        self._kept = 1.0

    def ask(self, n: int) -> Population:
        """Random networks within the limits first, children within them ever after.

        Raises:
            InfeasibleError: no network was found that keeps all limits on free functions.
        """
        if self._elite is None:
            self._elite = Elite(max(round(PARENTS * n), FEWEST))
        if self._parents is None:
            return Population(self._initial(n))
        return Population(fresh(self._space, n, self._children, self._seen, self._rng, self._keeps))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Parents of the next are the best among these and the parents before."""
        if len(population) and self._elite is not None:
            self._elite.add(population.rows, objectives, violations)
            self._parents = Parents(self._space, self._elite.rows)

    def _children(self, n: int) -> Rows:
        """So many that about ``n`` of them are within the limits."""
        assert self._parents is not None
        drawn = round(n * SPARE / max(self._kept, LEAST_KEPT))
        mutants = round(MUTATED * drawn)
        one, two = self._rng.integers(0, len(self._parents), (2, drawn))
        first = self._parents.copies(one, self._rng)
        second = self._parents.copies(two[mutants:], self._rng)
        crossed = np.where(self._rng.random(second.shape) < 0.5, first[mutants:], second)
        mutated = operators.mutate(self._space, first[:mutants], self._rng, CHANCE)
        # Shuffled, because some at the end will not be needed.
        return self._rng.permutation(np.concatenate([mutated, crossed]))

    def _initial(self, n: int) -> Rows:
        rows = unseen(self._space, n, self._rng, self._seen, self._keeps)
        if len(rows) == n:
            return rows
        # Where chance does not meet the limits, those that do are found near one that does.
        known = Parents(self._space, np.concatenate([rows, self._lowest()[None]]))

        def near(wanted: int) -> Rows:
            chosen = self._rng.integers(0, len(known), 2 * wanted)
            return operators.mutate(self._space, known.copies(chosen, self._rng), self._rng, CHANCE)

        rows = np.concatenate([rows, self._seen.take(known.rows[-1:], 1)])
        more = fresh(self._space, n - len(rows), near, self._seen, self._rng, self._keeps)
        return np.concatenate([rows, more])

    def _lowest(self) -> Rows:
        """A network [choices] that keeps the free limits; raises ``InfeasibleError``."""
        row, above, _ = smallest(self._space, self._above, self._rng, enough=0.0)
        if above > 0:
            limits = ", ".join(
                f"{name} <= {limit:g}"
                for name, limit in self._task.problem.limits.items()
                if name in self._task.free
            )
            raise InfeasibleError(
                f"no network of {self._space.name} was found that keeps {limits}; one comes within "
                f"{above:.2%} of them, added up: raise a limit"
            )
        return row

    def _keeps(self, rows: Rows) -> npt.NDArray[np.bool_]:
        kept = np.asarray(self._above(rows) <= 0)
        self._kept = float(kept.mean()) if len(kept) else self._kept
        return kept

    def _above(self, rows: Rows) -> Floats:
        """How far rows are above the free limits, as shares added up: [n]."""
        excess = self._task.problem.violations(self._task.known(rows, limited=True))
        # What is not free is not a number here, and not known.
        return np.maximum(np.nan_to_num(excess), 0).sum(axis=1)
