"""What a ridge regression has learnt, said as sums over decisions and layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictors.features import Encoder, Standard
from predictors.labels import Scale
from predictors.method import Floats
from search_spaces.space import Space


@dataclass(frozen=True, eq=False)
class Linear:
    """Labels are ``scale.inverse`` of ``latent``, which rises with them.

    ``latent`` is a constant, what decisions that are read are worth, what layers are worth where
    they stand, and for each of ``logs`` a coefficient times log(1 + sum of a cost over layers).

    Attributes:
        options: of all choices side by side: [options].
        layers: [slots, specs].
        logs: coefficients with costs [specs].
    """

    scale: Scale
    constant: float
    options: Floats
    layers: Floats
    logs: tuple[tuple[float, Floats], ...]

    def latent(self, space: Space, X: npt.ArrayLike) -> Floats:
        """Of rows [n, choices]: [n], in double precision."""
        rows, used, plans = space.resolved(X)
        offsets = np.cumsum([0, *(len(choice.values) for choice in space.choices)])
        total = self.constant + (self.options[rows + offsets[:-1]] * used).sum(axis=1)
        total += self.layers[np.arange(plans.shape[1]), plans].sum(axis=1)
        for coefficient, cost in self.logs:
            total += coefficient * np.log1p(cost[plans].sum(axis=1))
        return np.asarray(total, dtype=np.float64)


def linear(
    encoder: Encoder, standard: Standard, scale: Scale, weights: Floats, bias: float
) -> Linear:
    """From ``weights`` [features] of ``encoder``'s features, without proxies, and a ``bias``."""
    options, by_scale, rest = encoder.split(weights)
    costs = rest / standard.spread
    constant = bias - float(costs @ standard.centre)
    metrics = encoder.metrics
    totals, by_stage = costs[:3], costs[3:].reshape(3, -1)
    layers = np.empty((len(encoder.space.slots), len(encoder.space.specs)))
    for stage, per_metric in zip(encoder.stages, by_stage.T, strict=True):
        layers[stage.start : stage.stop] = per_metric @ metrics + totals[2] * metrics[2]
    logs = tuple((float(c), metric) for c, metric in zip(totals[:2], metrics[:2], strict=True))
    return Linear(scale, constant, options + by_scale, layers, logs)
