"""Which networks are worth a thought: those that an evolution on beliefs comes across."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.nsga2 import nsga2
from nas.search.task import Task

# Of a row: objectives [m, k] and violations [m, c], for nothing.
Guess = Callable[[Rows], tuple[Floats, Floats]]


def inner_search(
    task: Task,
    guess: Guess,
    elite: Rows,
    rng: np.random.Generator,
    *,
    size: int,
    generations: int,
) -> tuple[Rows, Floats, Floats]:
    """All rows [m, choices] that NSGA-II asks about on ``guess``, with its objectives, violations.

    It starts from ``elite`` [e, choices] beside its own first population; those are among the rows.
    """
    search = nsga2(task, rng, size)
    asked: list[tuple[Rows, Floats, Floats]] = []
    for generation in range(generations):
        rows = search.ask(size).rows
        if not generation:
            rows = np.unique(np.concatenate([elite, rows]), axis=0)
        if not len(rows):
            break
        asked.append((rows, *guess(rows)))
        search.tell(Population(rows), *asked[-1][1:])
    rows, objectives, violations = (np.concatenate(part) for part in zip(*asked, strict=True))
    # Children may equal the elite, which the search did not ask for itself.
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    return rows[first], objectives[first], violations[first]
