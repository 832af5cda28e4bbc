"""How likely a network is to be evaluated at all: some fail, and those like them do.

Hypotheses of three kinds, each worth what it says of the networks that were asked about (Bayesian
model averaging): one choice decides by itself, each of its values with a probability of its own;
one cost does (MACs, parameters, layers), with a probability on either side of some threshold; or
failing follows features smoothly. The last is a Gaussian process that classifies, by Laplace's
approximation: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithms
3.1 and 3.2, whose kernel is a linear trend and a smooth deviation from it. All is fixed but the
size of the trend: failures are few, and finer hyperparameters would follow chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Rows
from nas.search.searchers.operators import sizes
from nas.search.seen import Seen, keys
from nas.search.surrogate.process import covariances
from predictors.features import Encoder, Standard
from predictors.likelihood import Hyperparameters
from search_spaces.space import Space

Flags = npt.NDArray[np.bool_]

# Random networks whose features are the yardstick of others.
POOL = 1_000
# Variances of the log odds: those of the trend, over all features together, among which the
# likeliest is taken; and that of what deviates from it.
TRENDS, DEVIATION = (10.0, 30.0, 100.0, 300.0, 1000.0), 3.0
STEPS, PRECISION = 50, 1e-6
# Failures that are learned from at most, the last ones.
MOST_FAILED = 400
# Of the beta distribution that the probability of a choice's value comes from (Jeffreys).
PRIOR = 0.5


class Answers:
    """Which networks were asked about without an answer, once there was one to the others."""

    def __init__(self, space: Space) -> None:
        self._asked: Rows = np.empty((0, len(space.choices)), dtype=np.int64)
        self.failed: Rows = self._asked

    def ask(self, rows: Rows) -> None:
        """These [n, choices] are asked about."""
        self._asked = np.concatenate([self._asked, rows])

    def tell(self, rows: Rows) -> None:
        """These [n, choices] have answered, and no others of those that were asked about."""
        answered = Seen()
        answered.add(rows)
        candidates = np.concatenate([self.failed, self._asked])
        self.failed = candidates[[key not in answered for key in keys(candidates)]]
        self._asked = candidates[:0]


class Chance:
    """That rows [m, choices] are evaluated and do not fail: [m], between 0 and 1."""

    def __init__(self, encoder: Encoder, answered: Rows, failed: Rows) -> None:
        """Fitted to rows that have answered [a, choices], maybe none, and that failed [f, choices].

        Of many failures to the last ``MOST_FAILED``.
        """
        failed = failed[-MOST_FAILED:]
        rows = np.concatenate([answered, failed])
        good = np.arange(len(rows)) < len(answered)
        self._smooth = _Smooth.fit(encoder, rows, good)
        self._single = [
            _Single.fit(column, options + 1, good)
            for column, options in zip(
                _read(encoder.space, rows).T, sizes(encoder.space), strict=True
            )
        ]
        self._encoder = encoder
        self._sides = [_Sides.fit(column, good) for column in encoder(rows)[1].T]
        # A third of what is expected before anything is seen is for each kind.
        evidence = np.concatenate(
            [
                [single.evidence - np.log(len(self._single)) for single in self._single],
                [sides.evidence - np.log(len(self._sides)) for sides in self._sides],
                [self._smooth.evidence],
            ]
        )
        weights = np.exp(evidence - evidence.max())
        self._weights = weights / weights.sum()

    def __call__(self, rows: Rows) -> Floats:
        """Of rows [m, choices]."""
        pairs = zip(self._single, _read(self._encoder.space, rows).T, strict=True)
        said = [single.chance[column] for single, column in pairs]
        costs = self._encoder(rows)[1].T
        said += [sides(column) for sides, column in zip(self._sides, costs, strict=True)]
        found: Floats = self._weights @ np.stack([*said, self._smooth(rows)])
        return found


def _read(space: Space, rows: Rows) -> Rows:
    """Rows [m, choices] with one option more, the last, of a choice that is not read."""
    return np.where(space.used(rows), rows, sizes(space))


@dataclass(frozen=True, eq=False)
class _Single:
    """One choice decides: the ``chance`` of each of its values, [values].

    ``evidence`` is the logarithm of the marginal likelihood of what it was fitted to.
    """

    chance: Floats
    evidence: float

    @classmethod
    def fit(cls, column: Rows, values: int, good: Flags) -> _Single:
        """To the values [n] of the choice in rows, of which some were ``good`` [n]."""
        from scipy.special import betaln

        right = np.bincount(column[good], minlength=values) + PRIOR
        wrong = np.bincount(column[~good], minlength=values) + PRIOR
        evidence = (betaln(right, wrong) - betaln(PRIOR, PRIOR)).sum()
        return cls(right / (right + wrong), float(evidence))


@dataclass(frozen=True, eq=False)
class _Sides:
    """One cost decides: the ``chance`` [thresholds + 1] between ascending ``thresholds``.

    It is averaged over what every threshold says of both its sides, by what that is worth.
    """

    thresholds: Floats
    chance: Floats
    evidence: float

    @classmethod
    def fit(cls, costs: Floats, good: Flags) -> _Sides:
        """To costs [n] of rows, of which some were ``good`` [n]."""
        from scipy.special import betaln

        order = np.argsort(costs, kind="stable")
        values, right, wrong = costs[order], np.cumsum(good[order]), np.cumsum(~good[order])
        # Between unequal values; the last one has all on one side.
        at = np.append(np.flatnonzero(np.diff(values) > 0), len(values) - 1)
        right, wrong = right[at] + PRIOR, wrong[at] + PRIOR
        above_right, above_wrong = right[-1] - right + PRIOR, wrong[-1] - wrong + PRIOR
        worth = betaln(right, wrong) + betaln(above_right, above_wrong) - 2 * betaln(PRIOR, PRIOR)
        weights = np.exp(worth - worth.max())
        evidence = float(worth.max() + np.log(weights.mean()))
        weights /= weights.sum()
        below = np.append(weights * right / (right + wrong), 0.0)
        above = np.insert(weights * above_right / (above_right + above_wrong), 0, 0.0)
        # In an interval below some thresholds and above the others.
        chance = below[::-1].cumsum()[::-1] + above.cumsum()
        ends = np.append(values[1:], np.inf)[at]
        middle = np.append((values[at[:-1]] + ends[:-1]) / 2, np.inf)
        return cls(middle, chance, evidence)

    def __call__(self, costs: Floats) -> Floats:
        """The chance at costs [m]: [m]."""
        return np.asarray(self.chance[np.searchsorted(self.thresholds, costs)])


@dataclass(frozen=True, eq=False)
class _Smooth:
    """A Gaussian process of the log odds.

    Fitted to ``n`` rows: their features ``inputs`` [n, features], the slopes of the likelihood
    ``slopes`` [n], and the roots of its curvature ``roots`` [n], at the most probable log odds;
    ``factor`` [n, n] is Cholesky's of the conditioned covariance there. ``evidence`` is the
    logarithm of the marginal likelihood.
    """

    features: _Features
    kernel: Hyperparameters
    inputs: Floats
    slopes: Floats
    roots: Floats
    factor: Floats
    evidence: float

    @classmethod
    def fit(cls, encoder: Encoder, rows: Rows, good: Flags) -> _Smooth:
        """To rows [n, choices], of which some were ``good`` [n]."""
        from scipy.linalg import cholesky

        features = _Features(encoder)
        inputs = features(rows)
        width = inputs.shape[1]
        fits = []
        for trend in TRENDS:
            kernel = Hyperparameters(trend / width, DEVIATION, width**0.5, 0.0)
            covariance = covariances(inputs, inputs, kernel)
            fits.append((kernel, covariance, *_most_probable(covariance, good)))
        kernel, covariance, slopes, roots, evidence = max(fits, key=lambda fit: fit[-1])
        factor = cholesky(_conditioned(covariance, roots), lower=True)
        return cls(features, kernel, inputs, slopes, roots, factor, evidence)

    def __call__(self, rows: Rows) -> Floats:
        """The chance of rows [m, choices]: [m]."""
        from scipy.linalg import cho_solve
        from scipy.special import expit

        inputs = self.features(rows)
        across = covariances(self.inputs, inputs, self.kernel)
        weighted = self.roots[:, None] * across
        own = self.kernel.trend * (1 + np.einsum("mf,mf->m", inputs, inputs))
        own += self.kernel.deviation
        solved = cho_solve((self.factor, True), weighted)
        variance = np.maximum(own - np.einsum("nm,nm->m", weighted, solved), 0)
        # The mean of the logistic function over a normal variable, nearly (MacKay 1992).
        found: Floats = expit(self.slopes @ across / np.sqrt(1 + np.pi * variance / 8))
        return found


class _Features:
    """Of rows [m, choices], around those of random networks: [m, features]."""

    def __init__(self, encoder: Encoder) -> None:
        # A generator of its own: the yardstick of a space is the same in every search.
        pool = encoder.space.sample(POOL, np.random.default_rng(0))
        self._encoder = encoder
        self._standard = Standard.of(encoder(pool)[1], np.empty((POOL, 0)))
        self._centre = np.zeros(())
        self._centre = self(pool).mean(axis=0)

    def __call__(self, rows: Rows) -> Floats:
        decisions, costs, _ = self._encoder(rows)
        found = self._standard.features(decisions, costs, np.empty((len(rows), 0)))
        return np.asarray(found - self._centre, dtype=np.float64)


def _most_probable(covariance: Floats, good: Flags) -> tuple[Floats, Floats, float]:
    """For a covariance [n, n] and what was good [n] what follows from the mode.

    Slopes and roots of curvatures [n], and the logarithm of the marginal likelihood.
    """
    from scipy.linalg import cho_solve, cholesky
    from scipy.special import expit

    odds = np.zeros(len(good))
    for _ in range(STEPS):
        chance = expit(odds)
        roots = np.sqrt(chance * (1 - chance))
        factor = cholesky(_conditioned(covariance, roots), lower=True)
        wanted = roots**2 * odds + good - chance
        weights = wanted - roots * cho_solve((factor, True), roots * (covariance @ wanted))
        before, odds = odds, covariance @ weights
        if np.abs(odds - before).max() < PRECISION:
            break
    chance = expit(odds)
    evidence = -weights @ odds / 2 - np.logaddexp(0, np.where(good, -odds, odds)).sum()
    evidence -= np.log(np.diag(factor)).sum()
    return good - chance, np.sqrt(chance * (1 - chance)), float(evidence)


def _conditioned(covariance: Floats, roots: Floats) -> Floats:
    """The matrix B of equation 3.26, whose eigenvalues are at least 1: [n, n]."""
    return np.asarray(np.eye(len(roots)) + roots[:, None] * covariance * roots)
