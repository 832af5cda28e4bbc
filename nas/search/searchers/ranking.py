"""Which networks are better than which, where several objectives count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats
from nas.search.searchers.operators import Positions


def best_first(objectives: Floats, violation: Floats) -> Positions:
    """Positions [n] of points [n, k], the best first; ``violation`` [n] is 0 where feasible.

    Feasible ones go before others, by front and within a front by crowding distance, as NSGA-II
    ranks them (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
    Transactions on Evolutionary Computation 2002); others by violation. With one objective that is
    its order.
    """
    feasible = violation <= 0
    front = np.full(len(objectives), np.inf)
    emptiness = np.zeros(len(objectives))
    if feasible.any():
        fronts = ranks(objectives[feasible])
        front[feasible] = fronts
        emptiness[feasible] = crowding(objectives[feasible], fronts)
    return np.lexsort((-emptiness, front, np.maximum(violation, 0)))


def ranks(objectives: Floats) -> npt.NDArray[np.int64]:
    """The front that each point [n, k] belongs to, from 0: [n]."""
    from moocore import pareto_rank

    found: npt.NDArray[np.int64] = pareto_rank(np.ascontiguousarray(objectives)).astype(np.int64)
    return found


def crowding(objectives: Floats, fronts: npt.NDArray[np.int64]) -> Floats:
    """How far each point's neighbours in its front are apart, as shares of the front: [n].

    The ends of a front are infinitely far; of equal points but one are not apart at all.
    """
    distance = np.zeros(len(objectives))
    for values in objectives.T:
        order = np.lexsort((values, fronts))
        front, value = fronts[order], values[order]
        first = np.append(True, front[1:] != front[:-1])
        last = np.append(first[1:], True)
        # From the first to the last of each front, for each of its points.
        number = np.cumsum(first) - 1
        width = (value[last] - value[first])[number]
        around = np.append(value[1:], 0) - np.append(0, value[:-1])
        share = np.divide(around, width, out=np.zeros(len(value)), where=width > 0)
        distance[order] += np.where(first | last, np.inf, share)
    return distance
