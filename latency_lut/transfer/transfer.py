"""Predicting a new device from few measurements and from devices that are known: its donors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, overload

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from latency_lut.accuracy import NINETY
from latency_lut.arrays import Floats, Integers
from latency_lut.fit import Posterior, Scales
from latency_lut.fit import predict as predict_counts
from latency_lut.transfer.basis import components, extended, shapes
from latency_lut.transfer.learning import INTERCEPT, learn
from latency_lut.transfer.robust import SEEN, Solution, solve
from search_spaces.errors import ConfigError

LEAST = 3


class Transfer:
    """Latencies of one population on a new device.

    The device is a vector of times of parts (see ``basis``): a mixture of donors with deviations,
    whose variances are learned by letting every donor play the new device (``learning``), seen
    through measurements with outliers (``robust``). The mean is linear in the features, so one
    fit predicts networks outside the population too (``posterior``).
    """

    def __init__(
        self,
        donors: npt.ArrayLike,
        features: npt.ArrayLike,
        *,
        rng: np.random.Generator,
        groups: Sequence[str] | None = None,
        labels: Sequence[npt.ArrayLike] = (),
    ) -> None:
        """Learn what devices have in common.

        ``donors`` are milliseconds, [devices, networks]; ``features`` how often each part stands
        in each network, [networks, parts]. Donors of one name in ``groups`` [devices] are one
        physical device (other batches or threads); by default none are. ``labels`` number the
        kinds of the parts, [parts] each: parts of one kind deviate together.

        Raises ``ConfigError`` for arrays that do not fit together or times that are not positive.
        """
        ms = np.asarray(donors, dtype=np.float64)
        x = np.asarray(features, dtype=np.float64)
        names = [str(i) for i in range(len(ms))] if groups is None else list(groups)
        kinds = [np.asarray(label) for label in labels]
        _check(ms, x, names, kinds)
        relative = ms / ms.mean(axis=1, keepdims=True)
        known = shapes(relative, x, names)
        self.weights = learn(known, relative, x, kinds, rng)
        self._posterior: Posterior | None = None
        self.evidence = -np.inf
        self._x = extended(x)
        spread = np.append(0.0, x.std(axis=0))
        basis = [
            np.sqrt(weight) * one.directions
            for weight, one in zip(
                self.weights.components, components(known, spread, kinds), strict=True
            )
        ]
        intercept = np.zeros((self._x.shape[1], 1))
        intercept[0] = np.sqrt(INTERCEPT)
        self._shared = np.hstack([intercept, *basis[:-1]])
        # The parts' own directions are the last component, one for each part.
        self._own = np.append(0.0, np.diagonal(basis[-1][1:]))

    def covariance(self, rows: Integers) -> Floats:
        """Of the times of ``rows`` before anything is measured, up to a scale: [rows, rows]."""
        shared = self._x[rows] @ self._shared
        own = self._x[rows] * self._own
        return shared @ shared.T + own @ own.T

    def fit(self, rows: npt.ArrayLike, ms: npt.ArrayLike) -> Self:
        """Learn from ``ms`` [n] milliseconds, measured on networks ``rows`` [n] of the population.

        ``evidence`` is then how well they agree with the donors, a log likelihood up to a constant;
        of two descriptions of the same networks the one with more of it is to be preferred.

        Raises ``ConfigError`` for fewer than 3 measurements or such that are not positive.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        measured = np.asarray(ms, dtype=np.float64)
        if chosen.ndim != 1 or chosen.shape != measured.shape or len(chosen) < LEAST:
            raise ConfigError(
                f"{LEAST} measured networks or more are needed, each with its time; got rows of "
                f"shape {chosen.shape} and times of shape {measured.shape}"
            )
        if not (np.isfinite(measured) & (measured > 0)).all():
            raise ConfigError(f"latencies are positive; got {measured.tolist()} ms")
        middle = float(np.median(measured))
        self.evidence, solutions = solve(
            self.covariance(chosen),
            measured / middle - 1,
            measured / middle,
            self.weights.noise_mean,
            self.weights.noise_std,
            self.weights.scale2,
        )
        self._posterior = self._posterior_of(self._x[chosen], middle, solutions)
        return self

    @property
    def posterior(self) -> Posterior:
        """The times of intercept and parts in ms, their covariance, and the noise.

        Raises ``ConfigError`` before ``fit``.
        """
        if self._posterior is None:
            raise ConfigError("nothing was measured on the new device yet; call fit first")
        return self._posterior

    @overload
    def predict(self, rows: npt.ArrayLike) -> Floats: ...

    @overload
    def predict(self, rows: npt.ArrayLike, return_std: Literal[True]) -> tuple[Floats, Floats]: ...

    def predict(
        self, rows: npt.ArrayLike, return_std: bool = False
    ) -> Floats | tuple[Floats, Floats]:
        """Milliseconds of networks ``rows`` [n] of the population; standard deviations with them.

        A deviation is that of measuring the network: 1.645 of them to both sides are the 90%
        interval.
        """
        mean, std = predict_counts(self.posterior, self._x[np.asarray(rows, dtype=np.int64)])
        return (mean, std) if return_std else mean

    def _posterior_of(self, x: Floats, middle: float, solutions: list[Solution]) -> Posterior:
        """The mixture over noise levels ``solutions``, as one normal distribution of its moments.

        ``x`` [n, 1 + parts] are the measured networks.
        """
        factor = student.ppf(0.95, len(x) - 1 + SEEN) / NINETY
        weight = np.array([one.weight for one in solutions])
        scale2 = np.array([one.scale2 for one in solutions])
        # Prior covariance times the features, [1 + parts, n].
        cross = self._shared @ (x @ self._shared).T + (self._own**2)[:, None] * x.T
        means = np.array([cross @ one.dual for one in solutions])
        mean = weight @ means
        apart = np.sqrt(weight)[:, None] * (means - mean)
        deviation = np.sqrt(weight @ scale2)
        gains = [
            np.sqrt(one.weight * one.scale2) * (cross @ np.linalg.cholesky(one.inverse)).T
            for one in solutions
        ]
        mean[0] += 1
        noise = np.sqrt(weight @ (scale2 * [one.noise for one in solutions]))
        width = factor * middle
        return Posterior(
            middle * mean,
            width * deviation * self._own,
            width * np.hstack([deviation * self._shared, apart.T]),
            width * np.vstack(gains),
            Scales(
                together=float(np.sqrt(weight @ scale2)),
                kind=float(np.sqrt(sum(self.weights.components[2:-1]))),
                own=float(np.sqrt(self.weights.components[-1])),
                network=float(factor * noise),
            ),
            0.0,
        )


def _check(
    ms: Floats, features: Floats, names: Sequence[str], labels: Sequence[npt.NDArray]
) -> None:
    if ms.ndim != 2 or features.ndim != 2 or ms.shape[1] != len(features) or not len(ms):
        raise ConfigError(
            "donors are [devices, networks] and features [networks, parts] of the same networks; "
            f"got {ms.shape} and {features.shape}"
        )
    if len(names) != len(ms) or any(label.shape != features.shape[1:] for label in labels):
        raise ConfigError(
            f"{len(ms)} donors have as many groups, {features.shape[1]} parts as many labels; got "
            f"{len(names)} and {[label.shape for label in labels]}"
        )
    if not (np.isfinite(ms) & (ms > 0)).all():
        raise ConfigError("the donors' latencies are positive and finite; some are not")
    if not (np.ptp(ms, axis=1) > 0).all():
        raise ConfigError("a donor's latencies differ between networks; one has the same for all")
