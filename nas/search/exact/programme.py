"""The best path as an integer programme, and what SciPy's HiGHS says of it.

Every edge is a variable, 0 or 1, and what comes into a node leaves it: without limits the linear
programme alone has whole solutions. Limits and bends are rows over the same variables. Bends that
are convex to the minimiser are described by lines that touch them from below, the others by
secants between breaks, one of which is chosen; so the programme's optimum is never above the true
one, and equal to it where a line or a break is. Pairs of decisions are variables of their own
(McCormick, "Computability of global solutions to factorable nonconvex programs: Part I",
Mathematical Programming 1976).
"""

from __future__ import annotations

import numpy as np

from nas.search.exact.formula import Bend, Formula
from nas.search.exact.written import Answer, Described, Written
from search_spaces.paths import Ints, Paths

# Where bends are described to begin with; more points are added where optima are found.
POINTS = 8


class Programme:
    """Minimise one formula under upper limits on others; more rows come as optima are found."""

    def __init__(self, paths: Paths, formula: Formula, limits: list[tuple[Formula, float]]) -> None:
        self._paths = paths
        self._formulas = [formula, *(limited for limited, _ in limits)]
        self._limits = [limit for _, limit in limits]
        self._bends = [[self._described(bend) for bend in each.bends] for each in self._formulas]
        self._cuts: list[Ints] = []

    def _described(self, bend: Bend) -> Described:
        low, high = (end + bend.of.constant for end in self._paths.bounds(bend.of.edges))
        described = Described(bend, low, high)
        inside = [kink for kink in bend.shape.kinks if low < kink < high]
        for point in (*np.linspace(low, high, POINTS).tolist(), *inside):
            described.refine(float(point))
        return described

    def refine(self, path: Ints) -> None:
        """Describe all bends exactly where ``path`` stands."""
        for described in (one for each in self._bends for one in each):
            described.refine(described.bend.of(path))

    def exclude(self, options: Ints) -> None:
        """No path may decide on all of ``options`` any more."""
        self._cuts.append(options)

    def solve(self, seconds: float) -> Answer:
        """The optimum of the programme as it stands, or what is known of it after ``seconds``."""
        return Written(self._paths).solve(
            self._formulas, self._limits, self._bends, self._cuts, seconds
        )
