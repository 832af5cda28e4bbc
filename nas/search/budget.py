"""When a search ends: after so many evaluations, so much time, or when it stops growing."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from nas.search.growth import Growth
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
        seconds: how long the search takes, what it took before it was resumed included. What is
            evaluated then still ends: a batch, or a piece of it (see ``minimize``).
        stagnation: over how many evaluations the feasible networks' hypervolume may grow by less
            than a thousandth; where none is feasible, over how many the least excess over the
            limits may shrink by less.
    """

    evaluations: int | None = None
    seconds: float | None = None
    stagnation: int | None = None

    def __post_init__(self) -> None:
        given = {"evaluations": self.evaluations, "stagnation": self.stagnation}
        for name, count in given.items():
            if count is not None and not (1 <= count < math.inf and count == int(count)):
                raise SearchError(f"a budget's {name} are 1 or more, or None; got {count}")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise SearchError(
                f"a budget's seconds are above 0 and finite, or None; got {self.seconds}"
            )
        if self.evaluations is None and self.seconds is None and self.stagnation is None:
            raise SearchError("a budget limits evaluations, seconds or stagnation; got none of it")

    def ended(self, evaluations: float, seconds: float, growth: Stagnation) -> str | None:
        """Which limit is reached, by its name."""
        if self.evaluations is not None and evaluations >= self.evaluations:
            return "evaluations"
        if self.seconds is not None and seconds >= self.seconds:
            return "seconds"
        if self.stagnation is not None and growth.stands_still(self.stagnation):
            return "stagnation"
        return None


class Stagnation:
    """Whether a search still gets anywhere: to more hypervolume, or nearer to its limits."""

    def __init__(self) -> None:
        self.growth = Growth()
        self._least: list[float] = []

    def add(self, objectives: Floats, violations: Floats, evaluations: float) -> None:
        """Objectives [n, objectives] and violations [n, limits] of whole evaluations, after so many
        in all."""
        excess = np.maximum(violations, 0).sum(axis=1)
        self.growth.add(objectives[excess == 0], evaluations)
        least = self._least[-1] if self._least else math.inf
        self._least.append(min(least, float(excess.min(initial=math.inf))))

    def stands_still(self, evaluations: int) -> bool:
        """Whether the last so many evaluations gained less than ``GROWTH`` of what there is."""
        history = self.growth.history
        before = 0
        if history:
            before = bisect_right(history, history[-1][0] - evaluations, key=lambda one: one[0])
        if not before:
            return False
        volume = history[-1][1]
        if volume:
            return volume - history[before - 1][1] < GROWTH * volume
        was, least = self._least[before - 1], self._least[-1]
        # Nothing at all, where there was no value either.
        return not was - least >= GROWTH * was
