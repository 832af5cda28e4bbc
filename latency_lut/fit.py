"""From entries and a few whole networks to all networks: generalised least squares.

A network's time is an intercept plus the times of its layers, y = A t + noise. Blocks measured in
context are the prior of t, whole networks the observations that correct it. Two thousand random
networks alone would leave some entries undetermined, entries alone are off by 2 to 4%.

The prior's deviations are relative to the entries and have three parts: what all entries share
(what a block in context leaves out), what the blocks of one kind share, and each entry's own. The
noise of a network is relative to its time: what additivity cannot express. These four scales are
chosen from a grid by the marginal likelihood of the observations (Rasmussen and Williams 2006,
equation 2.30), so that the intervals follow from how well the networks agree with the entries.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# An intercept is what the ends of a network leave over; entries hold nearly all of its time.
INTERCEPT = 0.1


@dataclass(frozen=True)
class Scales:
    """Relative standard deviations: shared by all entries, by a kind, own; of a network."""

    together: float = 0.1
    kind: float = 0.07
    own: float = 0.1
    network: float = 0.01


GRID = tuple(
    Scales(*point)
    for point in itertools.product(
        (0.03, 0.1),
        (0.01, 0.03, 0.07, 0.15),
        (0.02, 0.05, 0.1, 0.15),
        (0.002, 0.005, 0.01, 0.02, 0.04),
    )
)


@dataclass(frozen=True)
class Prior:
    """What is known of the parameters t before networks are seen: all [parameters].

    The first parameter is the intercept; ``group`` numbers the kinds of blocks from 0, the
    intercept's is -1. ``error_ms`` is the standard error of each entry's measurement.
    """

    mean_ms: Floats
    error_ms: Floats
    group: Integers

    def own(self, scales: Scales) -> Floats:
        """Each parameter's own standard deviation in ms: [parameters]."""
        return np.hypot(scales.own * self.mean_ms, self.error_ms)

    def shared(self, scales: Scales) -> Floats:
        """The factors of what parameters share: [parameters, 1 + kinds]."""
        kinds = self.group[:, None] == np.arange(self.group.max() + 1)
        scaled = scales.kind * kinds
        return self.mean_ms[:, None] * np.hstack(
            [np.full((len(scaled), 1), scales.together), scaled]
        )


@dataclass(frozen=True)
class Observations:
    """Whole networks: ``counts`` [networks, parameters], times and their standard errors in ms."""

    counts: Floats
    ms: Floats
    error_ms: Floats


@dataclass(frozen=True)
class Posterior:
    """The fit. The covariance of t is diag(own^2) + shared shared' - gain' gain.

    ``mean_ms`` [parameters], ``own_ms`` [parameters], ``shared_ms`` [parameters, factors],
    ``gain_ms`` [networks, parameters]; ``scales`` are those that were chosen.
    """

    mean_ms: Floats
    own_ms: Floats
    shared_ms: Floats
    gain_ms: Floats
    scales: Scales


def predict(posterior: Posterior, counts: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of measuring networks ``counts`` [n, parameters]: [n], [n] ms."""
    mean = counts @ posterior.mean_ms
    variance = (
        (counts * posterior.own_ms) ** 2 @ np.ones(counts.shape[1])
        + ((counts @ posterior.shared_ms) ** 2).sum(axis=1)
        - ((counts @ posterior.gain_ms.T) ** 2).sum(axis=1)
    )
    return mean, np.sqrt(np.maximum(variance, 0) + (posterior.scales.network * mean) ** 2)


def fit(prior: Prior, observed: Observations, grid: tuple[Scales, ...] = GRID) -> Posterior:
    """The posterior under the scales of ``grid`` that make the observations most likely."""
    evidence = [_Solved.of(prior, observed, scales).log_likelihood for scales in grid]
    scales = grid[int(np.argmax(evidence))]
    solved = _Solved.of(prior, observed, scales)
    mean = prior.mean_ms + solved.cross @ cho_solve((solved.factor, True), solved.residual)
    gain = solve_triangular(solved.factor, solved.cross.T, lower=True)
    return Posterior(mean, prior.own(scales), prior.shared(scales), gain, scales)


@dataclass(frozen=True)
class _Solved:
    """``cross`` = C A', ``factor`` the lower Cholesky factor of A C A' + R."""

    cross: Floats
    factor: Floats
    residual: Floats

    @classmethod
    def of(cls, prior: Prior, observed: Observations, scales: Scales) -> _Solved:
        A = observed.counts
        shared = prior.shared(scales)
        cross = (prior.own(scales) ** 2)[:, None] * A.T + shared @ (shared.T @ A.T)
        noise = (scales.network * observed.ms) ** 2 + observed.error_ms**2
        factor = np.linalg.cholesky(A @ cross + np.diag(noise))
        return cls(cross, factor, observed.ms - A @ prior.mean_ms)

    @property
    def log_likelihood(self) -> float:
        """Of the observations under the prior, up to a constant."""
        white = solve_triangular(self.factor, self.residual, lower=True)
        return float(-0.5 * white @ white - np.log(np.diag(self.factor)).sum())
