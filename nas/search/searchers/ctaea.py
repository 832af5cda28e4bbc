"""C-TAEA: pymoo's two archives, one that converges and one that keeps apart.

Li et al., "Two-archive evolutionary algorithm for constrained multiobjective optimization" (IEEE
Transactions on Evolutionary Computation 2019). The second archive takes no notice of constraints
and so finds feasible regions behind infeasible ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searchers import operators
from nas.search.searchers.directions import directions
from nas.search.searchers.evolved import Choose, Evolved, Method
from nas.search.task import Task


def ctaea(task: Task, rng: np.random.Generator, size: int = 0) -> Evolved:
    """The searcher; ``size`` as in ``Evolved``, rounded down to a number of directions.

    One objective is one direction, and so one survivor in each archive.
    """
    return Evolved(task, rng, Method(_start, _parents, whole=True), size)


def _start(size: int, objectives: int) -> Any:
    from pymoo.algorithms.moo.ctaea import CTAEA

    return CTAEA(directions(objectives, size), output=None)


def _parents(algorithm: Any) -> tuple[Any, Choose]:
    """The first half comes from one archive, the second from the other or the same."""
    from moocore import pareto_rank
    from pymoo.core.population import Population

    size = len(algorithm.pop)
    members = Population.merge(algorithm.pop, algorithm.da)
    objectives, violation = members.get("F", "CV")
    front = pareto_rank(objectives) == 0
    converged, diverse = front[:size].sum() / len(members), front[size:].sum() / len(members)
    feasible = np.asarray(violation[:, 0] <= 0, dtype=np.float64)

    def choose(n: int, rng: np.random.Generator) -> operators.Positions:
        a, b = operators.pairs(size, n, rng)
        # The archive that has more of the front gives the first parents, and more of the second.
        second = np.arange(n) >= n // 2
        other = np.where(second, rng.random(n) >= converged, converged <= diverse) * size
        a, b = a + other, b + other
        both = feasible[a] * feasible[b]
        criteria = [
            feasible[a] - feasible[b],
            both * operators.dominance(objectives[a], objectives[b]),
        ]
        return operators.winners((a, b), criteria, rng)

    return members, choose
