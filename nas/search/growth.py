"""How the front of a search grows while it goes on, and the hypervolume with it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from nas.search.pareto import hypervolume, nondominated
from nas.search.searcher import Floats
from nas.search.volume import EXACT, Estimated

__all__ = ["Growing", "Growth", "fronts", "hypervolumes"]

Mask = npt.NDArray[np.bool_]

STRONG = 32
STEADY = 20
"""Feasible networks that a search's reference point is taken from, if not more come at once."""
MARGIN = 0.1


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


class Growth:
    """The hypervolume of what is feasible, as it grows while a search goes on.

    The reference point holds the worst of the first ``STEADY`` feasible networks, a tenth of their
    range further out, and then stays where it is; while it moves, what came before is measured
    again, so that volumes can be compared. Until there is a feasible network they are 0. Of more
    than ``EXACT`` objectives they are ``Estimated``.
    """

    def __init__(self) -> None:
        self.feasible = 0
        """How many feasible networks were added."""
        self.history: list[tuple[float, float]] = []
        """(evaluations, hypervolume) after each addition."""
        self._growing: Growing | None = None
        self._low = self._high = np.empty(0)
        # The front after each addition while the reference point moves.
        self._fronts: list[Floats | None] = []
        self._estimated: Estimated | None = None

    @property
    def front(self) -> Floats | None:
        """Feasible points [n, objectives] that none dominates; None before there is one."""
        return None if self._growing is None else self._growing.points

    def add(self, objectives: Floats, evaluations: float) -> None:
        """Objectives [n, objectives] of feasible networks, after so many evaluations in all."""
        moves = bool(len(objectives)) and self.feasible < STEADY
        if moves:
            self._move(objectives)
        self.feasible += len(objectives)
        if self._growing is not None:
            self._growing.add(objectives)
        if self.feasible < STEADY or moves:
            self._fronts.append(self.front)
        if moves:
            self._measure_again()
        self.history.append((evaluations, self._volume(self.front, objectives)))

    def _measure_again(self) -> None:
        self._estimated = None
        last, volume = None, 0.0
        for number, (at, _) in enumerate(self.history):
            front = self._fronts[number]
            if front is not last:
                last, volume = front, self._volume_of(front)
            self.history[number] = at, volume

    def _move(self, objectives: Floats) -> None:
        low, high = objectives.min(axis=0), objectives.max(axis=0)
        if self._growing is None:
            self._growing, self._low, self._high = Growing(objectives.shape[1]), low, high
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)

    def _volume(self, front: Floats | None, added: Floats) -> float:
        if front is None or front.shape[1] <= EXACT:
            return self._volume_of(front)
        if self._estimated is None:
            self._estimated, added = Estimated(self._corner(), self._low), front
        self._estimated.add(added)
        return self._estimated.volume

    def _volume_of(self, front: Floats | None) -> float:
        if front is None:
            return 0.0
        if front.shape[1] <= EXACT:
            return hypervolume(front, self._corner())
        estimated = Estimated(self._corner(), self._low)
        estimated.add(front)
        return estimated.volume

    def _corner(self) -> Floats:
        width = self._high - self._low
        corner: Floats = self._high + MARGIN * np.where(width > 0, width, np.abs(self._high) + 1)
        return corner


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
    objectives: Floats,
    feasible: Mask,
    numbers: Iterable[int],
    reference: Floats,
    ideal: Floats | None = None,
) -> Floats:
    """``hypervolume`` of each of the ``fronts``; with ``ideal`` it is ``Estimated``: [numbers].

    Estimates can be compared if both points are the same.
    """
    if ideal is None:
        found = fronts(objectives, feasible, numbers)
        return np.array([hypervolume(front, reference) for front in found])
    estimated, begun, volumes = Estimated(reference, ideal), 0, []
    for number in numbers:
        estimated.add(objectives[begun:number][feasible[begun:number]])
        volumes.append(estimated.volume)
        begun = number
    return np.array(volumes)


def _best(points: Floats) -> Mask:
    """Which of distinct points none dominates; pymoo's sort is the faster for three and more."""
    if points.shape[1] <= 2:
        return nondominated(points)
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    kept = np.zeros(len(points), dtype=np.bool_)
    kept[NonDominatedSorting().do(points, only_non_dominated_front=True)] = True
    return kept
