"""A fit spread over the specs of a space, so that populations are looked up and summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_lut.arrays import Floats, Index
from latency_lut.entries import block_key
from latency_lut.fit import LEADING, Posterior
from latency_lut.spill import spill, weights_mb
from search_spaces.specs import LayerSpec


class Vectors:
    """Means and deviations of plans [n, slots], numbers into ``specs``; specs[0] is SKIP.

    A spec without an entry is NaN in all vectors, and so is every sum over it.
    """

    def __init__(
        self,
        specs: Sequence[LayerSpec],
        blocks: Sequence[str],
        fitted: Posterior,
        threshold_mb: float,
        spilled_mb: Sequence[float],
    ) -> None:
        where = {name: LEADING + position for position, name in enumerate(blocks)}
        # After the parameters a row of zeros, which is what SKIP takes, and one of NaN.
        skip, absent = LEADING + len(blocks), LEADING + len(blocks) + 1
        place = [where.get(block_key(spec), absent) if i else skip for i, spec in enumerate(specs)]

        def spread(values: Floats) -> Floats:
            ends = [np.zeros_like(values[:1]), np.full_like(values[:1], np.nan)]
            return np.concatenate([values, *ends])[place]

        self.fitted = fitted
        self.threshold_mb = threshold_mb
        self.mean = spread(fitted.mean_ms)
        self.own = spread(fitted.own_ms)
        self.spilled = spread(np.array([0.0] * LEADING + list(spilled_mb)))
        self.weights = np.array([weights_mb(spec) if i else 0.0 for i, spec in enumerate(specs)])
        # Sums of shared factors count with their squares, sums of gains against them.
        self._factors = np.hstack([fitted.shared_ms, fitted.gain_ms.T])
        self._signs = np.repeat([1.0, -1.0], [fitted.shared_ms.shape[1], len(fitted.gain_ms)])
        self.factors = spread(self._factors)

    def _spill(self, index: Index) -> Floats:
        """Weights that spill in each plan and not already in its entries: [n] MB."""
        weights = self.weights[index].sum(axis=1)
        return spill(weights, self.threshold_mb) - self.spilled[index].sum(axis=1)

    def means(self, index: Index) -> Floats:
        """Predicted times: [n] ms."""
        intercept, price = self.fitted.mean_ms[:LEADING]
        return intercept + price * self._spill(index) + self.mean[index].sum(axis=1)

    def deviations(self, index: Index) -> Floats:
        """Standard deviations of measurements from the predicted times: [n] ms."""
        spilled = self._spill(index)
        sums = self._factors[0] + spilled[:, None] * self._factors[1]
        variance = self.fitted.own_ms[0] ** 2 + (spilled * self.fitted.own_ms[1]) ** 2
        for i, column in enumerate(index.T):
            sums += self.factors[column]
            # A layer that stands c times counts c^2 times: every pair of equal ones adds two.
            equal = 1 + 2 * (index[:, i + 1 :] == column[:, None]).sum(axis=1)
            variance += equal * self.own[column] ** 2
        variance += sums**2 @ self._signs
        noise = self.fitted.noise * self.means(index)
        return np.sqrt(np.maximum(variance, 0) + noise**2)
