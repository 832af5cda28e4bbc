"""By how much deviations are stretched so that intervals hold what they say."""

from __future__ import annotations

import numpy as np

from predictors.method import Floats

COVERAGE, DEVIATIONS = 0.9, 1.6448536269514722
"""This share of labels is to be within that many standard deviations."""
PRIOR = 20
"""A method's own deviations count as much as so many held-out labels that are just as far away."""


def stretch(away: Floats) -> float:
    """The factor for deviations, from how many of them held-out labels are away: [n].

    The quantile of split conformal prediction (Lei et al., "Distribution-Free Predictive Inference
    for Regression", JASA 2018), which by itself would follow the luck of few samples.
    """
    from scipy.stats import norm

    expected = norm.ppf(0.5 + (np.arange(PRIOR) + 0.5) / (2 * PRIOR))
    together = np.concatenate([away, expected])
    share = min(1.0, np.ceil((len(together) + 1) * COVERAGE) / len(together))
    return float(np.quantile(together, share) / DEVIATIONS)
