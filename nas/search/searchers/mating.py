"""From parents to children that were never asked for: all of them at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Rows
from nas.search.searchers import operators
from nas.search.seen import Seen, unseen
from search_spaces.space import Space

# Rounds that may bring nothing new before random rows take the place of children.
ROUNDS = 10

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
    for _ in range(ROUNDS):
        if not missing:
            break
        rows = space.canonical(make(missing))
        rows = (rows if keeps is None else rows[keeps(rows)])[:missing]
        made.append(rows[seen.add(rows)])
        missing -= len(made[-1])
    return np.concatenate([*made, unseen(space, missing, rng, seen, keeps)])


def children(space: Space, first: Rows, second: Rows, rng: np.random.Generator) -> Rows:
    """Two children of each pair of parents [n, choices], crossed and mutated: [2 n, choices].

    They are not canonical.
    """
    both = operators.fill_unread(space, np.concatenate([first, second]), rng)
    return operators.mutate(
        space, operators.crossover(both[: len(first)], both[len(first) :], rng), rng
    )


def initial(space: Space, n: int, seen: Seen, rng: np.random.Generator) -> Rows:
    """Rows to begin with, none seen: the smallest and the largest network, then random ones."""
    ends = np.stack([space.smallest, space.largest])[:n]
    rows = ends[seen.add(ends)]
    return np.concatenate([rows, unseen(space, n - len(rows), rng, seen)])
