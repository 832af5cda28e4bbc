"""LINAS: a predictor in the inner loop, true evaluations in the outer one.

Cummings et al., "A Hardware-Aware Framework for Accelerating Neural Architecture Search Across
Modalities" (2022, arXiv 2205.10358): evaluate a population, fit a predictor on all evaluations,
search the predictor with NSGA-II, evaluate the best of what that found, and so on. What is free is
not predicted. What will probably fail is left out, as what is predicted above a limit.
"""

from __future__ import annotations

import numpy as np

from nas.search.pareto import nondominated
from nas.search.searcher import Floats, Rows
from nas.search.searchers.assisted import Assisted, unasked
from nas.search.seen import Seen
from nas.search.surrogate import Believer, History, inner_search
from nas.search.task import Task

SIZE, GENERATIONS = 100, 10


def linas(task: Task, rng: np.random.Generator) -> Assisted:
    """The searcher."""
    return Assisted(task, rng, predicted_best)


def predicted_best(
    task: Task,
    believer: Believer,
    history: History,
    rng: np.random.Generator,
    n: int,
    seen: Seen,
) -> Rows:
    """``n`` rows of the best predicted fronts, by chance of the last that is not taken whole.

    Not by distance: with few at a time the ends of the front would be all that is ever asked.
    """

    def guess(rows: Rows) -> tuple[Floats, Floats]:
        beliefs = believer(rows)
        return beliefs.mean[:, : beliefs.objectives], beliefs.excess

    rows, objectives, excess = inner_search(
        task, guess, history.rows[history.front()], rng, size=SIZE, generations=GENERATIONS
    )
    left = unasked(rows, seen)
    violation = np.maximum(excess, 0).sum(axis=1)
    chosen: list[int] = []
    while len(chosen) < n and len(left):
        missing = n - len(chosen)
        feasible = left[violation[left] <= 0]
        if not len(feasible):
            chosen += left[np.argsort(violation[left], kind="stable")[:missing]].tolist()
            break
        front = feasible[nondominated(objectives[feasible])]
        chosen += rng.permutation(front)[:missing].tolist()
        left = np.setdiff1d(left, front)
    return rows[chosen]
