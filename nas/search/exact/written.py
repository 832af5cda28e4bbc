"""A programme written down: variables, rows over them, and the solver's answer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas.search.exact.formula import Bend, Formula, Pairs
from nas.search.searcher import Floats
from search_spaces.paths import Ints, Paths

# What limits may be exceeded by, as a share of the sum's range: never a network too few.
SLACK = 1e-9

Coefficients = dict[int, float]


@dataclass(frozen=True)
class Answer:
    """``path`` are the edges of the best path that was found, None where there is none.

    No path is below ``bound``; inf where none keeps the limits.
    """

    path: Ints | None
    bound: float


@dataclass(eq=False)
class Described:
    """A bend with the range of its sum, and the points where it is described exactly."""

    bend: Bend
    low: float
    high: float
    points: list[float] = field(default_factory=list)

    def refine(self, x: float) -> None:
        """Describe it exactly at ``x`` too."""
        if x not in self.points:
            self.points = sorted([*self.points, x])


class Written:
    """Variables and rows, collected one by one and solved together."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        edges = len(paths.tail)
        self._lower = [0.0] * edges
        self._upper = [1.0] * edges
        self._whole = [1] * edges
        self._rows: list[Coefficients] = []
        self._between: list[tuple[float, float]] = []
        self._edges_of: dict[int, Ints] = {}
        self._flow()

    def solve(
        self,
        formulas: list[Formula],
        limits: list[float],
        bends: list[list[Described]],
        cuts: list[Ints],
        seconds: float,
    ) -> Answer:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        objective = self._value(formulas[0], bends[0])
        for formula, limit, described in zip(formulas[1:], limits, bends[1:], strict=True):
            self._limit(self._value(formula, described), limit - formula.plain.constant)
        for options in cuts:
            self._row(self._decided(options), -np.inf, len(options) - 1.0)
        entries = [(i, j, value) for i, row in enumerate(self._rows) for j, value in row.items()]
        at_row, at_column, values = zip(*entries, strict=True)
        shape = (len(self._rows), len(self._lower))
        matrix = csr_array((np.array(values), (at_row, at_column)), shape=shape)
        low, high = np.array(self._between).T
        costs = np.zeros(len(self._lower))
        costs[list(objective)] = list(objective.values())
        # Solvers stop at an absolute gap, which is to be small against what one choice is worth.
        unit = max(1e-30, float(np.abs(costs).max()))
        result = milp(
            costs / unit,
            integrality=np.array(self._whole),
            bounds=Bounds(np.array(self._lower), np.array(self._upper)),
            constraints=LinearConstraint(matrix, low, high),
            options={"mip_rel_gap": 0.0, "time_limit": max(seconds, 0.01)},
        )
        return self._answer(result, unit, formulas[0].plain.constant)

    def _answer(self, result: Any, unit: float, constant: float) -> Answer:
        if result.status == 2:
            return Answer(None, np.inf)
        dual = getattr(result, "mip_dual_bound", None)
        bound = -np.inf if dual is None or not np.isfinite(dual) else unit * float(dual) + constant
        if result.x is None:
            return Answer(None, bound)
        return Answer(np.flatnonzero(result.x[: len(self._paths.tail)] > 0.5), bound)

    def _variable(self, low: float, high: float, whole: bool = False) -> int:
        self._lower.append(low)
        self._upper.append(high)
        self._whole.append(int(whole))
        return len(self._lower) - 1

    def _row(self, coefficients: Coefficients, low: float, high: float) -> None:
        self._rows.append({j: value for j, value in coefficients.items() if value})
        self._between.append((low, high))

    def _flow(self) -> None:
        """One path leaves the start, and what comes into a node leaves it."""
        through: list[Coefficients] = [{} for _ in range(self._paths.nodes)]
        for edge, (tail, head) in enumerate(zip(self._paths.tail, self._paths.head, strict=True)):
            through[tail][edge] = 1.0
            through[head][edge] = -1.0
        for node, coefficients in enumerate(through[:-1]):
            self._row(coefficients, *(2 * (float(node == 0),)))

    def _value(self, formula: Formula, bends: list[Described]) -> Coefficients:
        """The formula without its constant, never too large, as a sum of variables."""
        total = _coefficients(formula.plain.edges)
        for described in bends:
            total[self._bend(described)] = 1.0
        if formula.pairs is not None:
            total.update(self._pairs(formula.pairs))
        return total

    def _limit(self, value: Coefficients, limit: float) -> None:
        if limit == np.inf:
            return
        unit = max((abs(each) for each in value.values()), default=1.0)
        scaled = {j: each / unit for j, each in value.items()}
        self._row(scaled, -np.inf, limit / unit + SLACK * max(1.0, abs(limit / unit)))

    def _bend(self, described: Described) -> int:
        """A variable that is at most the bend where it counts."""
        bend, points = described.bend, described.points
        if described.high <= described.low:
            return self._variable(*(2 * (bend.at(described.low),)))
        # The sum as a share of its range, so that megabytes and counts are numbers of one size.
        span = described.high - described.low
        share = _coefficients(bend.of.edges / span)
        offset = (bend.of.constant - described.low) / span
        height = self._variable(-np.inf, np.inf)
        if bend.convex:
            for point in points:
                slope = bend.slope(point) * span
                # height >= value + slope (share - share of the point)
                there = (point - described.low) / span
                row = {j: -slope * value for j, value in share.items()}
                self._row({**row, height: 1.0}, bend.at(point) + slope * (offset - there), np.inf)
            return height
        at = [(point - described.low) / span for point in points]
        heights = [bend.at(point) for point in points]
        self._secants(height, at, heights, share, offset)
        return height

    def _secants(
        self,
        height: int,
        at: list[float],
        heights: list[float],
        share: Coefficients,
        offset: float,
    ) -> None:
        """One stretch between two points is chosen, and how far along it the sum is."""
        one: Coefficients = {}
        along: Coefficients = dict(share)
        up: Coefficients = {height: 1.0}
        for k in range(len(at) - 1):
            chosen, far = self._variable(0.0, 1.0, whole=True), self._variable(0.0, 1.0)
            self._row({far: 1.0, chosen: -1.0}, -np.inf, 0.0)
            one[chosen] = 1.0
            along[chosen], along[far] = -at[k], at[k] - at[k + 1]
            up[chosen], up[far] = -heights[k], heights[k] - heights[k + 1]
        self._row(one, 1.0, 1.0)
        self._row(along, -offset, -offset)
        self._row(up, 0.0, np.inf)

    def _pairs(self, pairs: Pairs) -> Coefficients:
        """Variables that are 1 where two options are both decided on, with what that is worth."""
        ends = itertools.pairwise(self._paths.offsets.tolist())
        found: Coefficients = {}
        for first, second in itertools.combinations(itertools.starmap(range, ends), 2):
            if pairs.worth[np.ix_(first, second)].any():
                found.update(self._block(pairs.worth, first, second))
        return found

    def _block(self, worth: Floats, rows: range, columns: range) -> Coefficients:
        both = {(a, b): self._variable(0.0, 1.0) for a in rows for b in columns}
        for a in rows:
            self._at_most({both[a, b] for b in columns}, a)
        for b in columns:
            self._at_most({both[a, b] for a in rows}, b)
        for (a, b), variable in both.items():
            decided = self._decided(np.array([a, b]))
            # both >= a + b - 1
            self._row({**{j: -v for j, v in decided.items()}, variable: 1.0}, -1.0, np.inf)
        return {variable: float(worth[pair]) for pair, variable in both.items()}

    def _at_most(self, variables: set[int], option: int) -> None:
        decided = {j: -value for j, value in self._decided(np.array([option])).items()}
        self._row({**decided, **dict.fromkeys(variables, 1.0)}, -np.inf, 0.0)

    def _decided(self, options: Ints) -> Coefficients:
        """How many of ``options`` a path decides on."""
        found: Coefficients = {}
        for option in options.tolist():
            if option not in self._edges_of:
                edge, taken = self._paths.taken.T
                self._edges_of[option] = edge[taken == option]
            for at in self._edges_of[option].tolist():
                found[at] = found.get(at, 0.0) + 1.0
        return found


def _coefficients(weights: Floats) -> Coefficients:
    return {int(j): float(weights[j]) for j in np.flatnonzero(weights)}
