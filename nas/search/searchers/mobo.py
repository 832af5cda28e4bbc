"""Multi-objective Bayesian optimisation: the largest expected gain in hypervolume, again and again.

Daulton, Balandat and Bakshy, "Differentiable Expected Hypervolume Improvement for Parallel
Multi-Objective Bayesian Optimization" (NeurIPS 2020) is the method that is followed: independent
Gaussian processes, expected hypervolume improvement, batches chosen one after the other, limits by
the probability that they are kept (Gardner et al., "Bayesian Optimization with Inequality
Constraints", ICML 2014), and failures likewise by the probability of an answer. Choices have no
gradients: candidates come from an evolution on beliefs.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Rows
from nas.search.searchers import operators
from nas.search.searchers.assisted import Assisted, unasked
from nas.search.seen import Seen
from nas.search.surrogate import Beliefs, Believer, History, expected_improvement, inner_search
from nas.search.task import Task

SIZE, GENERATIONS = 100, 10
# The evolution goes by what is so many deviations better than expected.
OPTIMISM = 2.0
# Neighbours of the front that are candidates beside it, at most.
NEAR = 1_000
# Candidates that stay in the choice once the first of a batch is taken.
SHORTLIST = 300
# The share of what is asked that goes by chance among candidates: beliefs may be wrong.
CHANCE = 0.05
LEAST = 1e-300


def mobo(task: Task, rng: np.random.Generator) -> Assisted:
    """The searcher."""
    return Assisted(task, rng, largest_gain)


def largest_gain(
    task: Task,
    believer: Believer,
    history: History,
    rng: np.random.Generator,
    n: int,
    seen: Seen,
) -> Rows:
    """``n`` candidates, each with the largest expected gain given those before it."""

    def guess(rows: Rows) -> tuple[Floats, Floats]:
        beliefs = believer(rows)
        hoped = beliefs.mean - OPTIMISM * beliefs.std
        return hoped[:, : beliefs.objectives], beliefs.excess

    front = history.front()
    elite = history.rows[front]
    near = np.concatenate([operators.neighbours(task.space, row) for row in elite])
    if len(near) > NEAR:
        near = rng.permutation(near)[:NEAR]
    rows, _, _ = inner_search(task, guess, elite, rng, size=SIZE, generations=GENERATIONS)
    rows = np.unique(np.concatenate([rows, near]), axis=0)
    rows = rows[unasked(rows, seen)]
    if not len(rows):
        return rows
    told = believer.told(history)
    feasible = (history.violations <= 0).all(axis=1)
    points = told[front] if feasible.any() else told[:0]
    beliefs = believer(rows)
    possible = np.flatnonzero(beliefs.possible)
    lucky = rng.permutation(possible)[: rng.binomial(n, CHANCE)].tolist()
    chosen = _greedy(beliefs, points, reference(told), n, lucky)
    return rows[chosen]


def reference(told: Floats) -> Floats:
    """The worst of what was told, and a little more: [objectives]."""
    worst: Floats = told.max(axis=0) + 0.1 * np.maximum(np.ptp(told, axis=0), 1e-6)
    return worst


def _greedy(
    beliefs: Beliefs, points: Floats, corner: Floats, n: int, taken: list[int]
) -> list[int]:
    """``taken``, and so many more positions that they are ``n``."""
    chosen = list(taken)
    k = beliefs.objectives
    for at in taken:
        beliefs.believe(at)
    positions = np.setdiff1d(np.arange(len(beliefs.mean)), taken)
    points = np.concatenate([points, beliefs.mean[taken, :k]])
    beliefs = beliefs.at(positions)
    while len(chosen) < n and len(positions):
        gain = expected_improvement(beliefs.mean[:, :k], beliefs.std[:, :k], points, corner)
        score = np.log(np.maximum(gain, LEAST)) + beliefs.log_feasible()
        best = int(score.argmax())
        chosen.append(int(positions[best]))
        points = np.concatenate([points, beliefs.mean[[best], :k]])
        beliefs.believe(best)
        order = np.argsort(-score, kind="stable")[: max(SHORTLIST, 2 * n)]
        kept = np.sort(order[order != best])
        positions, beliefs = positions[kept], beliefs.at(kept)
    return chosen
