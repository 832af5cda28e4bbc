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
from nas.search.searchers.evolved import Evolved, Method
from nas.search.task import Task


def ctaea(task: Task, rng: np.random.Generator, size: int = 0) -> Evolved:
    """The searcher; ``size`` as in ``Evolved``, rounded down to a number of directions."""
    return Evolved(task, rng, Method(_start, _parents, whole=True), size)


def _start(size: int, objectives: int) -> Any:
    from pymoo.algorithms.moo.ctaea import CTAEA

    return CTAEA(directions(objectives, size), output=None)


def _parents(algorithm: Any, n: int, rng: np.random.Generator) -> Any:
    """The first half of ``n`` from one archive, the second from the other or the same."""
    from moocore import pareto_rank
    from pymoo.core.population import Population

    size = len(algorithm.pop)
    members = Population.merge(algorithm.pop, algorithm.da)
    objectives, violation = members.get("F", "CV")
    first = pareto_rank(objectives) == 0
    converged, diverse = first[:size].sum() / len(members), first[size:].sum() / len(members)
    a, b = operators.pairs(size, n, rng)
    second = np.arange(n) >= n // 2
    # The archive that has more of the front gives the first parents, and more of the second.
    apart = np.where(second, rng.random(n) >= converged, converged <= diverse) * size
    a, b = a + apart, b + apart
    feasible = np.asarray(violation[:, 0] <= 0, dtype=np.float64)
    both = (feasible[a] > 0) & (feasible[b] > 0)
    criteria = [feasible[a] - feasible[b], both * operators.dominance(objectives[a], objectives[b])]
    return members[operators.winners((a, b), criteria, rng)]
