"""Which step to take along a noisy gradient.

Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015), algorithm 1.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats


class Adam:
    """Changes arrays in place, by name, so that what their gradient is of becomes smaller."""

    def __init__(
        self, rate: float, decay: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8
    ) -> None:
        self._rate, self._decay, self._epsilon = rate, decay, epsilon
        self._mean: dict[str, Floats] = {}
        self._square: dict[str, Floats] = {}
        self._steps = 0

    def step(self, weights: dict[str, Floats], gradient: dict[str, Floats]) -> None:
        """One step; ``gradient`` has an array for each of ``weights``, of its shape."""
        self._steps += 1
        first, second = self._decay
        for name, value in gradient.items():
            mean = first * self._mean.get(name, 0.0) + (1 - first) * value
            square = second * self._square.get(name, 0.0) + (1 - second) * value**2
            self._mean[name], self._square[name] = mean, square
            unbiased = np.sqrt(square / (1 - second**self._steps)) + self._epsilon
            weights[name] -= self._rate * mean / (1 - first**self._steps) / unbiased
