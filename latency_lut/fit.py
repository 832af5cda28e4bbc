"""From entries and a few whole networks to all networks: generalised least squares.

A network's time is an intercept, a price for weights that spill out of the cache, and the times
of its layers: y = A t + noise. Blocks measured in context are the prior of t, whole networks the
observations that correct it. Two thousand random networks alone would leave some entries
undetermined; entries alone leave out what blocks do to each other.

The prior's deviations are relative to the entries and have three parts: what all entries share
(what a block in context leaves out), what the blocks of one kind share, and each entry's own. The
noise of a network is relative to its time: what additivity cannot express. These four scales are
chosen from a grid by the marginal likelihood of the observations (Rasmussen and Williams 2006,
equation 2.30), so that the intervals follow from how well the networks agree with the entries. A
few tens of networks leave several points of the grid likely: predictions are the mean of what all
of these say, and how far they are apart is added as noise (``Posterior.unsure``).

Where networks of a later campaign are added, predictions are for that campaign: all its times may
differ by one more factor, which the networks of the earlier campaign do not see.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from latency_lut.arrays import Booleans, Floats, Integers

# Parameters before the entries: the intercept, and the price of spilled weights in ms per MB.
LEADING = 2


@dataclass(frozen=True)
class Scales:
    """Relative standard deviations: shared by all entries, by a kind, own; of a network.

    ``campaign`` is that of the factor between a later campaign and the earlier one.
    """

    together: float = 0.1
    kind: float = 0.07
    own: float = 0.1
    network: float = 0.01
    campaign: float = 0.0


GRID = tuple(
    Scales(*point)
    for point in itertools.product(
        (0.03, 0.1),
        (0.01, 0.03, 0.07, 0.15),
        (0.02, 0.05, 0.1, 0.15),
        # Not below 0.4%: 25 networks may agree by chance better than others will.
        (0.004, 0.007, 0.01, 0.014, 0.02, 0.03, 0.05),
    )
)
CAMPAIGNS = (0.0, 0.01, 0.03, 0.1, 0.3)
"""Scales of the factor that are tried where there are networks of an earlier campaign."""

# Scales are left out of what others would have said if they are so much less likely than the best.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class Prior:
    """What is known of the parameters t before networks are seen: all [parameters].

    The leading parameters come first, then the entries. ``group`` numbers the kinds of blocks
    from 0, and is -1 for the leading. ``error_ms`` is the standard error of each entry's
    measurement, and the deviation of the leading.
    """

    mean_ms: Floats
    error_ms: Floats
    group: Integers

    def own(self, scales: Scales) -> Floats:
        """Each parameter's own standard deviation in ms: [parameters]."""
        return np.hypot(scales.own * self.mean_ms, self.error_ms)

    def shared(self, scales: Scales) -> Floats:
        """The factors of what parameters share: [parameters, 2 + kinds], the campaign's first."""
        kinds = self.group[:, None] == np.arange(self.group.max() + 1)
        all_entries = np.broadcast_to([scales.campaign, scales.together], (len(kinds), 2))
        return self.mean_ms[:, None] * np.hstack([all_entries, scales.kind * kinds])


@dataclass(frozen=True)
class Observations:
    """Whole networks: ``counts`` [networks, parameters], times and their standard errors in ms.

    ``later`` [networks] says which are of the campaign that predictions are for: all, unless
    networks of a later one were added.
    """

    counts: Floats
    ms: Floats
    error_ms: Floats
    later: Booleans


@dataclass(frozen=True)
class Posterior:
    """The fit. The covariance of t is diag(own^2) + shared shared' - gain' gain.

    ``mean_ms`` [parameters] is the mean over all likely scales; ``own_ms`` [parameters],
    ``shared_ms`` [parameters, factors] and ``gain_ms`` [networks, parameters] are of the likeliest,
    ``scales``.
    ``repeat`` is the relative standard error of a measured network, ``unsure`` the relative
    deviation that not knowing the scales adds to a prediction.
    """

    mean_ms: Floats
    own_ms: Floats
    shared_ms: Floats
    gain_ms: Floats
    scales: Scales
    repeat: float
    unsure: float = 0.0

    @property
    def noise(self) -> float:
        """How far a measurement is from the sum of what is held true of the parts, beside what
        the covariance says: one deviation, relative."""
        return math.hypot(self.scales.network, self.repeat, self.unsure)


def predict(fitted: Posterior, counts: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of measuring networks ``counts`` [n, parameters]: [n], [n] ms."""
    mean = counts @ fitted.mean_ms
    variance = (
        ((counts * fitted.own_ms) ** 2).sum(axis=1)
        + ((counts @ fitted.shared_ms) ** 2).sum(axis=1)
        - ((counts @ fitted.gain_ms.T) ** 2).sum(axis=1)
    )
    return mean, np.sqrt(np.maximum(variance, 0) + (fitted.noise * mean) ** 2)


def conditioned(fitted: Posterior, seen: Observations) -> Posterior:
    """What is known once ``seen`` networks are added to a fit whose scales stay as they are.

    The covariance loses what they tell, one more row of ``gain_ms`` for each (Rasmussen and
    Williams 2006, equation 2.24).
    """
    A = seen.counts
    cross = (fitted.own_ms**2)[:, None] * A.T
    cross += fitted.shared_ms @ (A @ fitted.shared_ms).T - fitted.gain_ms.T @ (fitted.gain_ms @ A.T)
    noise = (fitted.scales.network * seen.ms) ** 2 + seen.error_ms**2
    factor = np.linalg.cholesky(A @ cross + np.diag(noise))
    gain = np.linalg.solve(factor, cross.T)
    mean = fitted.mean_ms + gain.T @ np.linalg.solve(factor, seen.ms - A @ fitted.mean_ms)
    return replace(fitted, mean_ms=mean, gain_ms=np.vstack([fitted.gain_ms, gain]))


def fit(
    prior: Prior,
    observed: Mapping[float, Observations],
    elsewhere: Mapping[float, Floats],
    grid: tuple[Scales, ...] = GRID,
) -> tuple[float, Posterior]:
    """The spill threshold that makes the observations most likely, the posterior over all scales.

    ``observed`` has the same networks under every threshold, whose spill differs; so has
    ``elsewhere`` the counts [networks, parameters] of those that predictions are for.
    """
    if not all(networks.later.all() for networks in observed.values()):
        grid = tuple(
            replace(point, campaign=scale) for point, scale in itertools.product(grid, CAMPAIGNS)
        )
    points = list(itertools.product(observed, grid))
    likelihood = np.array(
        [_Solved.of(prior, observed[t], scales).log_likelihood for t, scales in points]
    )
    best = int(likelihood.argmax())
    weight = np.exp(likelihood - likelihood[best])
    alike, others = [], []
    for i in np.flatnonzero(weight >= LEAST_WEIGHT):
        t, scales = points[i]
        one = posterior(prior, observed[t], scales)
        others.append((weight[i], *predict(one, elsewhere[t])))
        # Parameters mean the same under one threshold alone.
        if t == points[best][0]:
            alike.append((weight[i], one.mean_ms))
    mean = sum(w * ms for w, ms in alike) / sum(w for w, _ in alike)
    threshold, scales = points[best]
    fitted = replace(posterior(prior, observed[threshold], scales), mean_ms=mean)
    unsure = _unsure(others, *predict(fitted, elsewhere[threshold]))
    return threshold, replace(fitted, unsure=unsure)


def _unsure(likely: Sequence[tuple[float, Floats, Floats]], mean: Floats, std: Floats) -> float:
    """By what predictions (mean and std, [n] each) are too narrow, relative: one deviation.

    ``likely`` are the weights of all fits that may be true, and what each predicts: [n], [n]. Their
    mixture is that far from ``mean`` (Hoeting et al., "Bayesian model averaging: a tutorial",
    Statistical Science 1999, equation 3).
    """
    total = sum(weight for weight, _, _ in likely)
    square = sum(weight * (s**2 + (m - mean) ** 2) for weight, m, s in likely) / total
    return math.sqrt(max(float(np.mean((square - std**2) / mean**2)), 0.0))


def posterior(prior: Prior, observed: Observations, scales: Scales) -> Posterior:
    """What is known of the parameters once the networks are seen, under given scales."""
    solved = _Solved.of(prior, observed, scales)
    gain = np.linalg.solve(solved.factor, solved.cross.T)
    mean = prior.mean_ms + gain.T @ solved.white
    repeat = float(np.median(observed.error_ms / observed.ms))
    return Posterior(mean, prior.own(scales), prior.shared(scales), gain, scales, repeat)


@dataclass(frozen=True)
class _Solved:
    """``cross`` = C A'; ``factor`` = L, the lower Cholesky factor of A C A' + R; L^-1 residual."""

    cross: Floats
    factor: Floats
    white: Floats

    @classmethod
    def of(cls, prior: Prior, observed: Observations, scales: Scales) -> _Solved:
        A = observed.counts
        shared = prior.shared(scales)
        seen = A @ shared
        seen[~observed.later, 0] = 0.0
        own = (prior.own(scales) ** 2)[:, None] * A.T
        cross = own + shared @ seen.T
        noise = (scales.network * observed.ms) ** 2 + observed.error_ms**2
        factor = np.linalg.cholesky(A @ own + seen @ seen.T + np.diag(noise))
        white = np.linalg.solve(factor, observed.ms - A @ prior.mean_ms)
        return cls(cross, factor, white)

    @property
    def log_likelihood(self) -> float:
        """Of the observations under the prior, up to a constant."""
        return float(-0.5 * self.white @ self.white - np.log(np.diag(self.factor)).sum())
