"""The little statistics that a report needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.report.fronts import Point

__all__ = ["Contradiction", "binomial", "contradiction", "student"]

NORMAL_95 = 1.959964


def binomial(percent: float, images: int) -> tuple[float, float]:
    """The 95% interval of an accuracy in percent that was measured on so many images.

    Wilson's score interval ("Probable inference", 1927), which stays within 0 and 100.
    """
    share, z2 = percent / 100, NORMAL_95**2
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    spread = math.sqrt(share * (1 - share) / images + z2 / (4 * images**2))
    half = NORMAL_95 * spread / (1 + z2 / images)
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)


def student(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of repetitions [n, m], and half of its 95% interval: [m] each. Two or more.

    Student, "The probable error of a mean" (Biometrika 1908).
    """
    # Of a page alone, and a search that imports this package writes none.
    from scipy.special import stdtrit

    n = len(values)
    half = stdtrit(n - 1, 0.975) * values.std(axis=0, ddof=1) / math.sqrt(n)
    return values.mean(axis=0), half


@dataclass(frozen=True)
class Contradiction:
    """Two points where a cost says one thing and the clock another: ``cheap`` is the slower."""

    cheap: int
    costly: int
    cost_ratio: float
    latency_ratio: float


def contradiction(points: Sequence[Point], cost: Callable[[Point], float]) -> Contradiction | None:
    """The pair in which the network with less of ``cost`` is slower by most; None if none is.

    Pairs whose measured intervals overlap prove nothing and are passed over.
    """
    found: list[tuple[float, Contradiction]] = []
    for i, j in itertools.permutations(range(len(points)), 2):
        a, b = points[i], points[j]
        slower = (a.latency_low or a.latency_ms) > (b.latency_high or b.latency_ms)
        if slower and cost(a) < cost(b):
            ratios = cost(b) / cost(a), a.latency_ms / b.latency_ms
            found.append((min(ratios), Contradiction(i, j, *ratios)))
    return max(found, key=lambda pair: pair[0])[1] if found else None
