"""Networks within the limits on free functions: others are not even proposed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.reachable import smallest
from nas.search.searcher import Floats, Rows
from nas.search.searchers import operators
from nas.search.searchers.mating import Parents, fresh
from nas.search.seen import Seen, unseen
from nas.search.task import Task
from search_spaces.errors import InfeasibleError

# How likely each choice of a network is to change, where others near it are looked for.
CHANCE = 0.1


class Within:
    """The free limits of a task. ``share`` is what part of the last rows that it saw kept them."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._task = task
        self._space = task.space
        self._rng = rng
        self.share = 1.0

    def keeps(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of the rows [n, choices] keep all of them: [n]. Of none nobody is asked."""
        if not len(rows):
            return np.empty(0, dtype=np.bool_)
        kept = np.asarray(self._above(rows) <= 0)
        self.share = float(kept.mean())
        return kept

    def initial(self, n: int, seen: Seen) -> Rows:
        """``n`` rows to begin with that are not in ``seen``, which then holds them: random ones.

        Raises:
            InfeasibleError: no network was found that keeps them.
        """
        rows = unseen(self._space, n, self._rng, seen, self.keeps)
        if len(rows) == n:
            return rows
        # Where chance does not meet the limits, those that do are found near one that does.
        known = Parents(self._space, np.concatenate([rows, self._lowest()[None]]))

        def near(wanted: int) -> Rows:
            chosen = self._rng.integers(0, len(known), 2 * wanted)
            return operators.mutate(self._space, known.copies(chosen, self._rng), self._rng, CHANCE)

        rows = np.concatenate([rows, seen.take(known.rows[-1:], 1)])
        more = fresh(self._space, n - len(rows), near, seen, self._rng, self.keeps)
        return np.concatenate([rows, more])

    def _lowest(self) -> Rows:
        """A network [choices] that keeps them; raises ``InfeasibleError``."""
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

    def _above(self, rows: Rows) -> Floats:
        """How far rows are above them, as shares added up: [n]."""
        excess = self._task.problem.violations(self._task.known(rows, limited=True))
        # What is not free is not a number here, and not known.
        return np.maximum(np.nan_to_num(excess), 0).sum(axis=1)
