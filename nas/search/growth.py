"""How the front of a search grows while it goes on, and the hypervolume with it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from nas.search.pareto import hypervolume, nondominated
from nas.search.searcher import Floats

__all__ = ["Growing", "fronts", "hypervolumes"]

Mask = npt.NDArray[np.bool_]

STRONG = 32


class Growing:
    """A front that evaluations are added to: ``points`` [n, objectives], none dominates another.

    Each addition is compared with the front alone, so all of a search costs little more than its
    last look.
    """

    def __init__(self, objectives: int) -> None:
        self.points: Floats = np.empty((0, objectives))

    def add(self, objectives: Floats) -> None:
        """Values [n, objectives] of feasible networks, all minimised."""
        if not len(objectives):
            return
        # A few good points tell of nearly all others that they do not belong to the front.
        step = -(-max(1, len(self.points)) // STRONG)
        known = np.concatenate([self.points, objectives[objectives.argmin(axis=0)]])
        columns = np.ascontiguousarray(objectives.T)
        for point in known[::step]:
            # Column by column, for NumPy is slow along short rows; equals are known already.
            within = columns[0] < point[0]
            for column, limit in zip(columns[1:], point[1:], strict=True):
                within |= column < limit
            columns = columns[:, within]
        # Equal points stand once.
        together = np.unique(np.concatenate([known, columns.T]), axis=0)
        self.points = together[_best(together)]


def fronts(objectives: Floats, feasible: Mask, numbers: Iterable[int]) -> list[Floats]:
    """The front of the first so many evaluations, for each of ascending ``numbers``.

    Args:
        objectives: [n, objectives], all minimised, in the order of evaluation.
        feasible: [n], which of them keep all limits.
        numbers: how many evaluations each front is of.
    """
    growing, begun, found = Growing(objectives.shape[1]), 0, []
    for number in numbers:
        growing.add(objectives[begun:number][feasible[begun:number]])
        found.append(growing.points)
        begun = number
    return found


def hypervolumes(
    objectives: Floats, feasible: Mask, numbers: Iterable[int], reference: Floats
) -> Floats:
    """``hypervolume`` of each of the ``fronts``: [numbers]."""
    found = fronts(objectives, feasible, numbers)
    return np.array([hypervolume(front, reference) for front in found])


def _best(points: Floats) -> Mask:
    """Which of distinct points none dominates; pymoo's sort is the faster for three and more."""
    if points.shape[1] <= 2:
        return nondominated(points)
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    kept = np.zeros(len(points), dtype=np.bool_)
    kept[NonDominatedSorting().do(points, only_non_dominated_front=True)] = True
    return kept
