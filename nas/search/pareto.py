"""The points that nothing dominates, and the volume that they dominate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_spaces.errors import NasLoopError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def nondominated(objectives: npt.ArrayLike) -> Mask:
    """Which of the points [n, objectives] no other dominates, all objectives minimised: [n].

    A point dominates another that it is nowhere worse than and somewhere better; of equal
    points neither does. Two objectives take a sort; for more, points are dropped by those found
    so far, best sums first, so that time grows with the size of the front.
    """
    points = _points(objectives)
    distinct, back = np.unique(points, axis=0, return_inverse=True)
    kept = _sweep(distinct) if points.shape[1] <= 2 else _cull(distinct)
    mask: Mask = kept[back.ravel()]
    return mask


def _sweep(points: Floats) -> Mask:
    # Sorted by the first objective, ties by the second: a point stays if its last objective is
    # below all before it. With one objective this keeps the minimum.
    last = points[:, -1]
    before = np.concatenate([[np.inf], np.minimum.accumulate(last)[:-1]])
    kept: Mask = last < before
    return kept


def _cull(points: Floats) -> Mask:
    # In the order of the sum of ranks nothing stands behind what it dominates (ties within an
    # objective are ranked in the order of rows, and `np.unique` sorts those), so that the first
    # that remains always belongs to the front. Ranks, for sums of values would be sums of units.
    ranks = points.argsort(axis=0, kind="stable").argsort(axis=0)
    order = ranks.sum(axis=1).argsort()
    kept = np.zeros(len(points), dtype=np.bool_)
    while len(order):
        best = order[0]
        kept[best] = True
        order = order[(points[order] < points[best]).any(axis=1)]
    return kept


def hypervolume(objectives: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The volume that points [n, objectives] dominate below ``reference`` [objectives].

    All objectives are minimised. Zitzler and Thiele, "Multiobjective evolutionary algorithms: a
    comparative case study and the strength Pareto approach" (IEEE Transactions on Evolutionary
    Computation 1999). Three objectives and more are left to pymoo; the time it takes grows
    exponentially with them, and of more than six ``nas.search.volume`` estimates.
    """
    points, corner = _points(objectives), np.asarray(reference, dtype=np.float64)
    if corner.shape != (points.shape[1],):
        raise NasLoopError(
            f"a reference point has a number for each of {points.shape[1]} objectives; got shape "
            f"{corner.shape}"
        )
    inside = points[(points < corner).all(axis=1)]
    if not len(inside):
        return 0.0
    front = np.unique(inside[nondominated(inside)], axis=0)
    if points.shape[1] == 1:
        return float(corner[0] - front[0, 0])
    if points.shape[1] == 2:
        right = np.append(front[1:, 0], corner[0])
        return float(((right - front[:, 0]) * (corner[1] - front[:, 1])).sum())
    from pymoo.indicators.hv import HV

    return float(HV(ref_point=corner)(front))


def _points(objectives: npt.ArrayLike) -> Floats:
    points = np.asarray(objectives, dtype=np.float64)
    if points.ndim != 2 or not points.shape[1]:
        raise NasLoopError(f"points are [n, objectives]; got shape {points.shape}")
    if np.isnan(points).any():
        raise NasLoopError("NaN is neither better nor worse than a number; leave such points out")
    return points
