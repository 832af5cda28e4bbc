"""From parents to children that were never asked for: all of them at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Rows
from nas.search.searchers import operators
from nas.search.searchers.operators import Positions
from nas.search.seen import Seen, unseen
from search_spaces.space import Space

# Rounds that may bring nothing new before random rows take the place of children.
ROUNDS = 10
# How many times what is missing is made after the first round, and how many at least.
SURPLUS, FEW = 4, 32

Make = Callable[[int], Rows]
Keeps = Callable[[Rows], npt.NDArray[np.bool_]]


def fresh(
    space: Space,
    n: int,
    make: Make,
    seen: Seen,
    rng: np.random.Generator,
    keeps: Keeps | None = None,
) -> Rows:
    """``n`` canonical rows that are not in ``seen``, which then holds them: [n, choices].

    ``make`` gives about as many rows as it is asked for, ``keeps`` says which are wanted. Where all
    were seen random ones take their place, and fewer than ``n`` say that the space has no more that
    could be found.
    """
    made = [np.empty((0, len(space.choices)), dtype=np.int64)]
    missing = n
    for round_ in range(ROUNDS):
        if not missing:
            break
        # The last few would take many rounds of few rows, which cost as much as of many.
        rows = space.canonical(make(max(SURPLUS * missing, FEW) if round_ else missing))
        made.append(seen.take(rows if keeps is None else rows[keeps(rows)], missing))
        missing -= len(made[-1])
    return np.concatenate([*made, unseen(space, missing, rng, seen, keeps)])


class Parents:
    """Networks that may have children: ``rows`` [n, choices], canonical."""

    def __init__(self, space: Space, rows: Rows) -> None:
        self._space = space
        self.rows = rows
        # Asked once of the parents, not of every child's.
        self._used = space.used(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def copies(self, which: Positions, rng: np.random.Generator) -> Rows:
        """Those at positions [m], with random options where a choice is not read: [m, choices]."""
        return operators.fill_unread(self._space, self.rows[which], rng, self._used[which])

    def children(self, first: Positions, second: Positions, rng: np.random.Generator) -> Rows:
        """Two children of each pair of positions [m], crossed and mutated: [2 m, choices].

        They are not canonical.
        """
        crossed = operators.crossover(self.copies(first, rng), self.copies(second, rng), rng)
        return operators.mutate(self._space, crossed, rng)


def initial(space: Space, n: int, seen: Seen, rng: np.random.Generator) -> Rows:
    """Rows to begin with, none seen: the smallest and the largest network, then random ones."""
    ends = np.stack([space.smallest, space.largest])[:n]
    rows = ends[seen.add(ends)]
    return np.concatenate([rows, unseen(space, n - len(rows), rng, seen)])
