"""From samples to `latency_ms`, the one number that means the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latency_lut.arrays import Floats
from latency_lut.windows import Window, series, usual

RESAMPLES = 200


@dataclass(frozen=True)
class Latency:
    """The time of one model in one campaign, all in milliseconds.

    ``latency_ms`` is the median over rounds of each round's minimum, corrected by the reference
    networks; ``error_ms`` its standard error by bootstrap over rounds; ``halves_ms`` the same of
    the first and the second half of the rounds; ``floor_ms`` the least of all rounds.
    """

    latency_ms: float
    error_ms: float
    halves_ms: tuple[float, float]
    floor_ms: float
    rounds: int

    def scaled(self, factor: float) -> Latency:
        """All times multiplied by ``factor``."""
        first, second = self.halves_ms
        return Latency(
            self.latency_ms * factor,
            self.error_ms * factor,
            (first * factor, second * factor),
            self.floor_ms * factor,
            self.rounds,
        )


def latency(minima_ms: Floats, rng: np.random.Generator) -> Latency:
    """The latency of one model from its rounds' corrected minima, [rounds] in order of time."""
    n = len(minima_ms)
    middle = max(1, n // 2)
    halves = (minima_ms[:middle], minima_ms[n - middle :])
    resampled = np.median(minima_ms[rng.integers(0, n, (RESAMPLES, n))], axis=1)
    return Latency(
        latency_ms=float(np.median(minima_ms)),
        error_ms=float(resampled.std()),
        halves_ms=(float(np.median(halves[0])), float(np.median(halves[1]))),
        floor_ms=float(minima_ms.min()),
        rounds=n,
    )


def latencies(
    windows: Sequence[Window], rounds: int, rng: np.random.Generator
) -> dict[str, Latency]:
    """The latency of every model that was visited; ``rounds`` is how many visits are wanted."""
    return {
        name: latency(visits.best(rounds), rng)
        for name, visits in series(windows, usual(windows)).items()
    }


def disagreement(measured: Sequence[Latency]) -> float:
    """By how much the halves of a campaign differ: the median over models, 0.01 for 1%."""
    halves = np.array([one.halves_ms for one in measured])
    return float(np.median(np.abs(halves[:, 0] - halves[:, 1]) / halves.mean(axis=1)))
