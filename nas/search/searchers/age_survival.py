"""Who survives in AGE-MOEA: points that are near the ideal one, and far from each other.

Panichella, "An adaptive evolutionary algorithm based on non-Euclidean geometry for many-objective
optimization" (GECCO 2019). Both distances are measured with the p-norm under which the first
front is a sphere about the ideal point. pymoo has the algorithm too, but compiles it with Numba at
every start, which costs more than the search.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.core.survival import Survival

from nas.search.searcher import Floats
from nas.search.searchers.operators import Positions
from nas.search.searchers.ranking import ranks

# Norms beyond these are no geometry of a front.
LEAST, MOST = 0.1, 20.0
TINY = 1e-8


class AgeSurvival(Survival):  # type: ignore[misc]  # pymoo has no types
    """Fronts survive in their order, the last of them by score. Feasible ones come first."""

    def __init__(self) -> None:
        super().__init__(filter_infeasible=True)

    def _do(self, problem: Any, pop: Any, *unused: Any, n_survive: int, **more: Any) -> Any:
        objectives = pop.get("F")
        fronts = ranks(objectives)
        score = scores(objectives, fronts)
        pop.set("rank", fronts, "crowding", score)
        return pop[np.lexsort((-score, fronts))[:n_survive]]


def scores(objectives: Floats, fronts: Positions) -> Floats:
    """Survival scores of points [n, k] within their fronts, larger ones survive: [n].

    In the first front diversity over proximity, infinite at its ends; in the others the inverse
    of proximity.
    """
    first = fronts == 0
    ideal = objectives[first].min(axis=0)
    points = objectives - ideal
    ends = extremes(points[first])
    points = points / intercepts(points[first], ends)
    p = norm(points[first], ends)
    proximity = np.maximum((points**p).sum(axis=1) ** (1 / p), TINY)
    score = 1 / proximity
    score[first] = _diversity(points[first], proximity[first], ends, p)
    return score


def extremes(points: Floats) -> Positions:
    """For each objective the point [n, k] that lies nearest to its axis, none twice: positions."""
    n, objectives = points.shape
    if n <= objectives:
        return np.arange(n)
    found: list[int] = []
    for axis in range(objectives):
        direction = np.full(objectives, 1e-6)
        direction[axis] += 1
        distance = _from_line(points, direction)
        distance[found] = np.inf
        found.append(int(distance.argmin()))
    return np.array(found)


def intercepts(points: Floats, ends: Positions) -> Floats:
    """Where the plane through the extreme points meets the axes, else the largest values: [k]."""
    widest = points.max(axis=0)
    found = widest
    if len(ends) == points.shape[1]:
        try:
            plane = np.linalg.solve(points[ends], np.ones(len(ends)))
        except np.linalg.LinAlgError:
            plane = np.zeros(len(ends))
        if np.isfinite(plane).all() and (plane > 0).all():
            found = 1 / plane
    return np.where((found > 0) & np.isfinite(found), found, 1.0)


def norm(points: Floats, ends: Positions) -> float:
    """The p under which the point nearest to the diagonal is at distance 1 like the ends."""
    inner = np.setdiff1d(np.arange(len(points)), ends)
    objectives = points.shape[1]
    if not len(inner) or objectives == 1:
        return 1.0
    distance = _from_line(points[inner], np.ones(objectives))
    middle = points[inner[distance.argmin()]].mean()
    if not 0 < middle < 1:
        return 1.0 if middle <= 0 else MOST
    p = float(np.log(objectives) / np.log(1 / middle))
    return 1.0 if p <= LEAST else min(p, MOST)


def _diversity(points: Floats, proximity: Floats, ends: Positions, p: float) -> Floats:
    """Scores [n] in the order in which points are taken, the most remote from those taken next."""
    score = np.full(len(points), np.inf)
    # Of every point, how near the nearest two of those taken are.
    nearest = np.full((2, len(points)), np.inf)
    taken = np.zeros(len(points), dtype=np.bool_)

    def take(one: int) -> None:
        taken[one] = True
        distance = (np.abs(points - points[one]) ** p).sum(axis=1) ** (1 / p)
        nearest[:] = np.sort(np.vstack([nearest, np.maximum(distance, TINY)]), axis=0)[:2]

    for end in ends:
        take(int(end))
    for _ in range(len(points) - len(ends)):
        away = np.where(np.isfinite(nearest), nearest, 0).sum(axis=0) / proximity
        away[taken] = -np.inf
        best = int(away.argmax())
        score[best] = away[best]
        take(best)
    return score


def _from_line(points: Floats, direction: Floats) -> Floats:
    """Squared distances [n] of points [n, k] from the line through 0 in a direction [k]."""
    along = points @ direction / (direction @ direction)
    return np.asarray(((points - along[:, None] * direction) ** 2).sum(axis=1))
