"""All that was told from best to worst, whatever the number of objectives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.pareto import nondominated
from nas.search.searcher import Floats


def ranking(objectives: Floats, violations: Floats) -> npt.NDArray[np.int64]:
    """Positions [n] from best to worst of objectives [n, k] and violations [n, c].

    What keeps the limits comes first, then the smaller sum of violations; of equals those that
    fewer fronts dominate; within a front the emptier place, as NSGA-II has it (Deb et al., "A fast
    and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions on Evolutionary
    Computation 2002, sections III-B and VI-A); ties in the order given.
    """
    violation = np.maximum(violations, 0).sum(axis=1)
    fronts = np.zeros(len(objectives), dtype=np.int64)
    emptiness = np.zeros(len(objectives))
    for level in np.unique(violation):
        left = np.flatnonzero(violation == level)
        for number in range(len(left)):
            if not len(left):
                break
            first = nondominated(objectives[left])
            front, left = left[first], left[~first]
            fronts[front], emptiness[front] = number, crowding(objectives[front])
    return np.lexsort((-emptiness, fronts, violation))


def crowding(objectives: Floats) -> Floats:
    """How far each point of a front [n, k] is from its neighbours: [n], infinite at the ends."""
    n = len(objectives)
    distance = np.zeros(n)
    for values in objectives.T:
        order = np.argsort(values, kind="stable")
        span = values[order[-1]] - values[order[0]]
        if span > 0:
            distance[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
        distance[order[[0, -1]]] = np.inf
    return distance
