"""When a search ends: after so many evaluations, so much time, or when it stops growing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.search.growth import Growing
from nas.search.pareto import hypervolume
from nas.search.problem import SearchError
from nas.search.searcher import Floats

GROWTH = 1e-3
"""By what share the hypervolume has to grow, lest a search count as standing still."""


@dataclass(frozen=True)
class Budget:
    """The first of these that is reached ends a search; None does not.

    Attributes:
        evaluations: how many distinct networks are evaluated; a cheaper trial counts as its
            fidelity.
        seconds: how long the search takes, what it took before it was resumed included.
        stagnation: over how many evaluations the feasible networks' hypervolume may grow by less
            than a thousandth.
    """

    evaluations: int | None = None
    seconds: float | None = None
    stagnation: int | None = None

    def __post_init__(self) -> None:
        given = {"evaluations": self.evaluations, "stagnation": self.stagnation}
        for name, count in given.items():
            if count is not None and (count != int(count) or count < 1):
                raise SearchError(f"a budget's {name} are 1 or more, or None; got {count}")
        if self.seconds is not None and not self.seconds > 0:
            raise SearchError(f"a budget's seconds are above 0, or None; got {self.seconds}")
        if self.evaluations is None and self.seconds is None and self.stagnation is None:
            raise SearchError("a budget limits evaluations, seconds or stagnation; got none of it")

    def ended(self, evaluations: float, seconds: float, growth: Growth) -> str | None:
        """Which limit is reached, by its name."""
        if self.evaluations is not None and evaluations >= self.evaluations:
            return "evaluations"
        if self.seconds is not None and seconds >= self.seconds:
            return "seconds"
        if self.stagnation is not None and growth.stands_still(self.stagnation):
            return "stagnation"
        return None


class Growth:
    """The hypervolume of what is feasible, as it grows.

    The reference point holds the worst of the first feasible networks, a tenth of their range
    further out. Until there is one, nothing has grown.
    """

    def __init__(self) -> None:
        self._reference: Floats | None = None
        self._front: Growing | None = None
        self.history: list[tuple[float, float]] = []
        """(evaluations, hypervolume) after each batch."""

    def add(self, objectives: Floats, evaluations: float) -> None:
        """Feasible objectives [n, objectives] of a batch, after so many evaluations in all."""
        if len(objectives):
            if self._reference is None or self._front is None:
                low, high = objectives.min(axis=0), objectives.max(axis=0)
                self._reference = high + 0.1 * np.where(high > low, high - low, np.abs(high) + 1)
                self._front = Growing(objectives.shape[1])
            self._front.add(objectives)
        volume = 0.0
        if self._front is not None and self._reference is not None:
            volume = hypervolume(self._front.points, self._reference)
        self.history.append((evaluations, volume))

    def stands_still(self, evaluations: int) -> bool:
        """Whether the last so many evaluations added less than ``GROWTH`` of the hypervolume."""
        if not self.history or not self.history[-1][1]:
            return False
        last, volume = self.history[-1]
        before = [found for at, found in self.history if at <= last - evaluations]
        return bool(before) and volume - before[-1] < GROWTH * volume
