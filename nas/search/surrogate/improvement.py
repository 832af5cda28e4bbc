"""By how much a network that is not known yet would probably enlarge the dominated volume.

The expected hypervolume improvement of Emmerich, Giannakoglou and Naujoks, "Single- and
Multiobjective Evolutionary Optimization Assisted by Gaussian Random Field Metamodels" (IEEE
Transactions on Evolutionary Computation 2006), exact for independent objectives. With one
objective it is the expected improvement of Jones, Schonlau and Welch (1998).
"""

from __future__ import annotations

import numpy as np

from nas.search.pareto import nondominated
from nas.search.searcher import Floats

# Slabs within slabs that a volume may be cut into, about; fronts of many points, which would need
# more, are thinned.
CELLS = 4_000


def expected_improvement(mean: Floats, std: Floats, front: Floats, reference: Floats) -> Floats:
    """The expected gain [m] of points with normal, independent objectives, all minimised.

    Args:
        mean: [m, k]; std: [m, k], 0 where an objective is known.
        front: points that are there [f, k].
        reference: what is not below it in every objective counts for nothing [k].
    """
    inside = front[(front < reference).all(axis=1)]
    return _Gains(mean, std, reference).within(
        mean.shape[1] - 1, _thinned(np.unique(inside, axis=0))
    )


class _Gains:
    """Cuts what the front leaves open into slabs, objective by objective, the last one first.

    In a box the expected volume of a point's quadrant is the product over objectives of expected
    lengths, because objectives are independent; a length in [a, b] is ``below(b) - below(a)``.
    """

    def __init__(self, mean: Floats, std: Floats, reference: Floats) -> None:
        self._mean, self._std = mean, std
        self._reference = reference
        self._known: dict[tuple[int, float], Floats] = {}

    def within(self, objective: int, points: Floats) -> Floats:
        """Expected gain [m] in the first ``objective + 1`` objectives, over ``points`` [f, ..]."""
        top = float(self._reference[objective])
        if not objective:
            return self._below(0, min([top, *points[:, 0].tolist()]))
        points = points[nondominated(points[:, : objective + 1])] if len(points) else points
        ends = [*np.unique(points[:, objective]).tolist(), top]
        total = np.zeros(len(self._mean))
        before = np.zeros(len(self._mean))
        active = points[:0]
        for end in ends:
            below = self._below(objective, end)
            total += (below - before) * self.within(objective - 1, active)
            before, active = below, points[points[:, objective] <= end]
        return total

    def _below(self, objective: int, end: float) -> Floats:
        """The expected length [m] from a point's value up to ``end``: E[(end - y)+]."""
        key = (objective, end)
        if key not in self._known:
            mean, std = self._mean[:, objective], self._std[:, objective]
            self._known[key] = expected_below(end, mean, std)
        return self._known[key]


def expected_below(end: float, mean: Floats, std: Floats) -> Floats:
    """E[(end - y)+] [m] for normal y; where ``std`` is 0, ``max(end - mean, 0)``."""
    from scipy.special import ndtr

    gap = end - mean
    safe = np.where(std > 0, std, 1.0)
    z = gap / safe
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(std > 0, gap * ndtr(z) + safe * density, np.maximum(gap, 0))


def _thinned(front: Floats) -> Floats:
    """The front [f, k], or as many of its points, spread over it, as cells allow."""
    levels = front.shape[1] - 1
    most = max(2, int(CELLS ** (1 / levels))) if levels else 1
    if not len(front) or len(front) <= most or not levels:
        return front
    # Farthest first from the ends on, so that what stays is spread.
    span = np.maximum(np.ptp(front, axis=0), np.finfo(np.float64).tiny)
    unit = (front - front.min(axis=0)) / span
    taken = [int(unit[:, 0].argmin())]
    distance = np.full(len(front), np.inf)
    while len(taken) < most:
        distance = np.minimum(distance, ((unit - unit[taken[-1]]) ** 2).sum(axis=1))
        taken.append(int(distance.argmax()))
    return front[np.sort(taken)]
