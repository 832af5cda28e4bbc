"""One number for several objectives, by weights that change: for searchers that know only one.

The augmented Chebyshev function under weights drawn evenly, as in Knowles, "ParEGO: a hybrid
algorithm with on-line landscape approximation for expensive multiobjective optimization problems"
(IEEE Transactions on Evolutionary Computation 2006). Unlike a weighted sum it can have its optimum
at any point of a front, also where that is not convex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.search.pareto import nondominated
from nas.search.searcher import Floats
from nas.search.searchers.directions import drawn
from nas.search.searchers.operators import Positions

# How much the sum counts beside the largest: enough to prefer what dominates.
SUM = 0.05


def chebyshev(objectives: Floats, weights: Floats, ideal: Floats, spread: Floats) -> Floats:
    """The smaller, the better under ``weights``: objectives [..., k] become [...].

    ``ideal`` [k] is what would be best and ``spread`` [k] how much each objective varies.
    """
    share = weights * (objectives - ideal) / spread
    worst: Floats = share.max(axis=-1)
    return worst + SUM * share.sum(axis=-1)


def extent(objectives: Floats) -> tuple[Floats, Floats]:
    """The least of each of the objectives [n, k], and its range, 1 where that is 0: [k] each.

    The range is that of the points that no other dominates: what is traded. Of all points it would
    be the range of the worst, under which most weights have their optimum at an end of the front.
    """
    front = objectives[nondominated(objectives)]
    spread = np.ptp(front, axis=0)
    return front.min(axis=0), np.where(spread > 0, spread, 1.0)


def contests(
    objectives: Floats,
    violation: Floats,
    units: tuple[Floats, Floats],
    shape: tuple[int, int],
    sampled: int,
    rng: np.random.Generator,
) -> Positions:
    """Winners of contests, some under the same weights: positions [weights, contests].

    Each is held among ``sampled`` of the members with objectives [n, k] and violation [n]; the one
    that violates least wins, then the least by the weights in ``units`` (as of ``extent``).
    ``shape`` says how many weights are drawn, and how many contests each of them judges.
    """
    members, k = objectives.shape
    preferred = drawn(shape[0], k, rng)
    chosen = rng.random((*shape, members)).argpartition(sampled - 1, axis=-1)[..., :sampled]
    value = chebyshev(objectives[chosen], preferred[:, None, None], *units)
    best = np.lexsort((value, violation[chosen]), axis=-1)[..., :1]
    return np.take_along_axis(chosen, best, axis=-1)[..., 0]


@dataclass(frozen=True, eq=False)
class Weighing:
    """One number for objectives under weights [k] that hold for a while, in units of ``spread``."""

    weights: Floats
    ideal: Floats
    spread: Floats

    @classmethod
    def drawn(cls, objectives: Floats, rng: np.random.Generator) -> Weighing:
        """Weights drawn anew, units by points [n, k] that are worth comparing with."""
        ideal, spread = extent(objectives)
        return cls(drawn(1, objectives.shape[1], rng)[0], ideal, spread)

    def __call__(self, objectives: Floats) -> Floats:
        """Objectives [n, k] as one number each, smaller is better: [n]."""
        return chebyshev(objectives, self.weights, self.ideal, self.spread)
