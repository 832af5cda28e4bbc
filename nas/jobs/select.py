"""Which of a searched front are worth measuring, and which measured one is the best."""

from __future__ import annotations

from collections.abc import Sequence
from operator import le
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["best", "candidates", "expected_accuracy", "on_front"]

Floats = npt.NDArray[np.floating[Any]]


def candidates(
    latency_ms: Floats, error: Floats, n: int, others: Sequence[Floats] = ()
) -> npt.NDArray[np.int64]:
    """Up to ``n`` positions of a predicted front [m]: half the most accurate, half spread out.

    The most accurate ones lie just under the budget, where the choice will be made; the others
    are spread evenly over the logarithm of latency, so that the frontier can be seen. With
    ``others``, further objectives [m] each, every second, third, ... of these is spread over those.
    """
    by_error = np.argsort(error, kind="stable")
    if len(by_error) <= n:
        return by_error
    chosen = list(by_error[: (n + 1) // 2])
    rest = by_error[(n + 1) // 2 :]
    scales, accurate = [np.log(latency_ms), *others], list(chosen)
    spread = n - len(accurate)
    for number, scale in enumerate(scales):
        mine = len(range(number, spread, len(scales)))
        targets = np.linspace(scale.min(), scale[accurate].min(), mine + 1)[:-1]
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


def on_front(
    latency_ms: Sequence[float],
    accuracy: Sequence[float],
    others: Sequence[Sequence[float]] = (),
) -> list[bool]:
    """Which measured networks no other one beats, in ``others`` too, where less is better: [n]."""
    costs = list(zip(latency_ms, [-one for one in accuracy], *others, strict=True))
    return [
        not any(other != mine and all(map(le, other, mine)) for other in costs) for mine in costs
    ]


def best(latency_ms: Sequence[float], accuracy: Sequence[float], budget_ms: float) -> int | None:
    """The most accurate network that was measured within the budget; None if there is none.

    Of equally accurate ones the faster.
    """
    within = [i for i, latency in enumerate(latency_ms) if latency <= budget_ms]
    if not within:
        return None
    return max(within, key=lambda i: (accuracy[i], -latency_ms[i]))
