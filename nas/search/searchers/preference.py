"""What one number are several objectives worth, to one who prefers some of them?

Searchers that learn from one reward are given many: one for each preference, a point of the simplex
over the objectives. A reward is a share of ranks, so that it is 0 to 1 whatever the units are:
first come rows that keep the limits, by the augmented weighted Chebyshev distance of their ranks
from the best of each objective (Steuer and Choo, "An interactive weighted Tchebycheff procedure for
multiple objective programming", Mathematical Programming 1983; it reaches the concave parts of a
front, which a weighted sum does not), then the others by how far they are above the limits.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats

AUGMENTED = 0.05


def ranks(values: Floats) -> Floats:
    """Shares of the rows that are smaller, 0 to 1, ties in their middle: of [n, k] the same."""
    from scipy.stats import rankdata

    if len(values) < 2:
        return np.full(values.shape, 0.5)
    return np.asarray((rankdata(values, axis=0) - 1) / (len(values) - 1))


def rewards(objectives: Floats, violations: Floats, preferences: Floats) -> Floats:
    """What each row is worth to each preference, 1 for the best and 0 for the worst: [n, d].

    Args:
        objectives: [n, k], minimised.
        violations: [n, c], feasible where all are <= 0.
        preferences: [d, k], not negative, each summing to 1.
    """
    distances = ranks(objectives)
    weighted = distances[:, None] * preferences
    worth = weighted.max(axis=2) + AUGMENTED * weighted.sum(axis=2)
    excess = np.maximum(violations, 0).sum(axis=1, keepdims=True)
    # Above anything that a feasible row is worth, and growing with the excess.
    worst = 2 + ranks(excess)
    return 1 - ranks(np.where(excess > 0, worst, worth))
