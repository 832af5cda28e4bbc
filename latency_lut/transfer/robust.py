"""A Gaussian process seen through a few measurements, some of which may be far off.

Single measurements of a device are disturbed by what else it does: their errors have long tails,
and with ten of them one outlier spoils a least squares fit. So errors follow Student's t
distribution, written as normal errors of unknown weights, whose posterior is found by variational
Bayes (Tipping and Lawrence 2005, "Variational inference for Student-t models"). How large the
errors are against the signal is integrated over on a grid; the scale of both is marginalised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import digamma, gammaln

from latency_lut.arrays import Floats

DEGREES = 4.0
STEPS = 25
# What is known of a device's scale from others counts as much as this many measurements.
SEEN = 1.0
# Logarithms of the variance of errors over that of a component of weight 1.
GRID = np.arange(-10.0, 2.1, 0.75)
# Points of the grid of less weight than this are left out.
NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Solution:
    """One noise level: its ``weight``, the ``scale2`` of the signal, ``inverse`` [n, n] and
    ``dual`` [n] = inverse @ measurements; the variance of an error at size 1 is ``scale2`` *
    ``noise``.
    """

    weight: float
    noise: float
    scale2: float
    inverse: Floats
    dual: Floats


def solve(
    kernel: Floats,
    measured: Floats,
    sizes: Floats,
    noise_mean: float,
    noise_std: float,
    usual_scale2: float,
) -> tuple[float, list[Solution]]:
    """The log evidence up to a constant, and the posterior under every noise level that matters.

    Weights sum to 1.

    ``kernel`` [n, n] is the prior covariance of the signal up to a scale, ``measured`` [n] has
    prior mean 0. Errors are relative to ``sizes`` [n]. The logarithm of the noise level has a
    normal prior, the scale counts as seen before on ``SEEN`` measurements.
    """
    found = [_at(kernel, measured, float(np.exp(log)) * sizes**2, usual_scale2) for log in GRID]
    prior = -0.5 * ((GRID - noise_mean) / noise_std) ** 2
    evidence = np.array([bound for bound, _ in found]) + prior
    weights = np.exp(evidence - evidence.max())
    total = float(evidence.max() + np.log(weights.sum()))
    weights = np.where(weights > NEGLIGIBLE * weights.sum(), weights, 0.0)
    weights /= weights.sum()
    solutions = [
        replace(one, weight=float(w), noise=float(np.exp(log)))
        for w, log, (_, one) in zip(weights, GRID, found, strict=True)
        if w > 0
    ]
    return total, solutions


def _at(
    kernel: Floats, measured: Floats, noise: Floats, usual_scale2: float
) -> tuple[float, Solution]:
    """The lower bound of the log evidence at one noise level, up to a constant; the solution.

    ``noise`` [n] is the variance of each error over that of a component of weight 1.
    """
    n = len(measured)
    # One degree of freedom goes to the intercept, whose prior is flat.
    freedom = n - 1 + SEEN
    trust = np.ones(n)
    shape = (DEGREES + 1) / 2
    for _ in range(STEPS):
        errors = noise / trust
        inverse = np.linalg.inv(kernel + np.diag(errors))
        dual = inverse @ measured
        scale2 = float(measured @ dual + SEEN * usual_scale2) / freedom
        residual = (errors * dual) ** 2
        squares = residual + scale2 * (errors - errors**2 * np.diag(inverse))
        rate = (DEGREES + squares / (scale2 * noise)) / 2
        trust = shape / rate
    expected = digamma(shape) - np.log(rate)
    half = DEGREES / 2
    divergence = (
        (shape - half) * digamma(shape)
        - gammaln(shape)
        + gammaln(half)
        + half * (np.log(rate) - np.log(half))
        + shape * (half - rate) / rate
    )
    bound = -0.5 * freedom * np.log(scale2) + 0.5 * np.linalg.slogdet(inverse)[1]
    bound += float(np.sum(0.5 * (expected - np.log(shape / rate)) - divergence))
    return float(bound), Solution(0.0, 0.0, scale2, inverse, dual)
