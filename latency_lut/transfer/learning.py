"""How much the components of the prior matter, learned from the donors alone.

Each donor in turn plays the new device, for which the donors of other groups are the donors. The
components' variances are those that make what all of them measured most likely (empirical Bayes;
Rasmussen and Williams 2006, equations 2.30 and 5.9), every donor with a noise of its own; the
noises together are the prior of a new device's. Weak priors on the logarithms keep what few
donors leave open where it usually is, and decide alone where there is one donor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from latency_lut.arrays import Floats, Integers
from latency_lut.transfer.basis import Shapes, components, extended

# The variance of the intercept against that of a component of weight 1: it may be anything.
INTERCEPT = 100.0
# Networks on which a donor that plays the new device is looked at.
NETWORKS = 60
# The component of the donors has weight 1, since the scale is marginalised. Means and precisions
# of the logarithms of the others, and of noises.
MEAN, MEAN_PRECISION = -1.0, 0.1
KINDS, PARTS, DEVIATION_PRECISION = -5.0, -6.0, 0.5
NOISE, NOISE_PRECISION, NOISE_STD = -3.0, 0.02, 1.5


@dataclass(frozen=True)
class Weights:
    """Variances of the components, in their order, and the prior of the logarithm of the noise.

    ``scale2`` is the usual variance of a device's times over the population, relative to their
    mean.
    """

    components: tuple[float, ...]
    noise_mean: float
    noise_std: float
    scale2: float


def learn(
    donors: Shapes,
    ms: Floats,
    features: Floats,
    labels: Sequence[Integers],
    rng: np.random.Generator,
) -> Weights:
    """The weights that donors of ``ms`` [donors, networks] make most likely."""
    spread = np.append(0.0, features.std(axis=0))
    scale2 = float(np.exp(donors.weights @ np.log(ms.var(axis=1) / ms.mean(axis=1) ** 2)))
    kernels, values = [], []
    for group, measured in zip(donors.groups, ms, strict=True):
        others = donors.without(group)
        if not others.groups:
            continue
        rows = rng.choice(len(features), min(NETWORKS, len(features)), replace=False)
        x = extended(features[rows])
        parts = [x @ one.directions for one in components(others, spread, labels)]
        kernels.append([part @ part.T for part in parts])
        u = measured[rows] - measured[rows].mean()
        values.append(u / u.std())
    n_free = 1 + len(labels) + 1
    centre = np.array([MEAN, *[KINDS] * len(labels), PARTS, *[NOISE] * len(values)])
    precision = np.array(
        [
            MEAN_PRECISION,
            *[DEVIATION_PRECISION] * (len(labels) + 1),
            *[NOISE_PRECISION] * len(values),
        ]
    )
    if not values:
        return _weights(centre, NOISE, 2 * NOISE_STD, scale2)
    counted = np.array([1 / donors.groups.count(name) for name in donors.groups])
    K, u = np.array(kernels), np.array(values)

    def loss(point: Floats) -> tuple[float, Floats]:
        value, slope = _evidence(K, u, point[:n_free], point[n_free:], counted)
        away = point - centre
        return -value + float(precision @ away**2) / 2, -slope + precision * away

    limits = [(-9.0, 3.0), *[(-10.0, 0.0)] * (n_free - 1), *[(-12.0, 3.0)] * len(values)]
    best = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=limits).x
    noises = best[n_free:]
    mean = float(np.average(noises, weights=counted))
    std = float(np.sqrt(np.average((noises - mean) ** 2, weights=counted)))
    return _weights(best[:n_free], mean, max(std, NOISE_STD), scale2)


def _weights(logs: Floats, mean: float, std: float, scale2: float) -> Weights:
    first, *others = np.exp(logs).tolist()
    return Weights((first, 1.0, *others[: len(logs) - 1]), mean, std, scale2)


def _evidence(
    kernels: Floats, values: Floats, logs: Floats, noises: Floats, counted: Floats
) -> tuple[float, Floats]:
    """The log evidence of all donors, scales profiled out, and its gradient.

    ``kernels`` [donors, components, n, n], ``values`` [donors, n]; ``logs`` of the components but
    the donors' own, ``noises`` [donors] logarithms.
    """
    n = values.shape[1]
    first, *others = np.exp(logs)
    weights = np.array([first, 1.0, *others])
    total = np.tensordot(kernels, weights, axes=(1, 0)) + INTERCEPT
    total += np.exp(noises)[:, None, None] * np.eye(n)
    inverse = np.linalg.inv(total)
    dual = np.einsum("dij,dj->di", inverse, values)
    fit = np.einsum("di,di->d", values, dual)
    value = -0.5 * n * np.log(fit / n) + 0.5 * np.linalg.slogdet(inverse)[1]
    push = (n / fit)[:, None, None] * dual[:, :, None] * dual[:, None, :] - inverse
    by_kernel = 0.5 * weights * np.einsum("dij,dcij->dc", push, kernels)
    by_noise = 0.5 * np.exp(noises) * np.trace(push, axis1=1, axis2=2)
    slope = np.concatenate([counted @ np.delete(by_kernel, 1, axis=1), counted * by_noise])
    return float(counted @ value), slope
