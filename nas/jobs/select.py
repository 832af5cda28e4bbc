"""Which of a searched front are worth measuring, and which measured one is the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["best", "candidates", "expected_accuracy", "on_front"]

Floats = npt.NDArray[np.floating[Any]]


def candidates(latency_ms: Floats, error: Floats, n: int) -> npt.NDArray[np.int64]:
    """Up to ``n`` positions of a predicted front [m]: half the most accurate, half spread out.

    The most accurate ones lie just under the budget, where the choice will be made; the others
    are spread evenly over the logarithm of latency, so that the frontier can be seen.
    """
    by_error = np.argsort(error, kind="stable")
    if len(by_error) <= n:
        return by_error
    chosen = list(by_error[: (n + 1) // 2])
    rest = by_error[(n + 1) // 2 :]
    scale = np.log(latency_ms)
    targets = np.linspace(scale.min(), scale[chosen].min(), n - len(chosen) + 1)[:-1]
    for target in targets:
        free = np.setdiff1d(rest, chosen)
        chosen.append(free[np.abs(scale[free] - target).argmin()])
    return np.array(chosen)


def expected_accuracy(
    measured: float, images: int, predicted: float, predicted_std: float
) -> float:
    """Accuracy in percent from what was measured on ``images`` images and what was predicted.

    Both are weighted by their precision (the count's is binomial). With few held-out images many
    networks tie by count, and the best count is mostly luck; with many it is the count that counts.
    """
    share = (measured / 100 * images + 1) / (images + 2)
    counted = 1e4 * share * (1 - share) / images
    weight = counted / (counted + max(predicted_std, 1e-9) ** 2)
    return weight * predicted + (1 - weight) * measured


def on_front(latency_ms: Sequence[float], accuracy: Sequence[float]) -> list[bool]:
    """Which measured networks no other one beats in both: [n]."""
    pairs = list(zip(latency_ms, accuracy, strict=True))
    return [
        not any(other[0] <= mine[0] and other[1] >= mine[1] and other != mine for other in pairs)
        for mine in pairs
    ]


def best(latency_ms: Sequence[float], accuracy: Sequence[float], budget_ms: float) -> int | None:
    """The most accurate network that was measured within the budget; None if there is none.

    Of equally accurate ones the faster.
    """
    within = [i for i, latency in enumerate(latency_ms) if latency <= budget_ms]
    if not within:
        return None
    return max(within, key=lambda i: (accuracy[i], -latency_ms[i]))
