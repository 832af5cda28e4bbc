"""Several models, each fitted without one fold: their spread and the noise are the uncertainty.

Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep
Ensembles" (NeurIPS 2017), section 2.4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from predictors.method import Floats, Held

LEAST_NOISE = 1e-6


def hold_out(
    each: Floats, without: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], y: Floats
) -> tuple[Floats, Held]:
    """The variance [] of the labels' noise, and what the models that had not seen a sample say.

    ``each`` [models, n] are predictions for the samples, ``without`` [models] the fold that each
    model has not seen, ``folds`` [n] those of the samples, ``y`` [n] their labels.
    """
    seen = without[:, None] != folds
    mean, spread = np.asarray(np.ma.masked_array(each, seen).mean(0)), each.var(0)
    noise = np.array(max(np.mean((y - mean) ** 2 - spread), LEAST_NOISE))
    return noise, Held(mean, np.sqrt(spread + noise))


def mean_and_std(each: Floats, noise: Floats, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n] of predictions [models, n]; zeros without ``std``."""
    mean: Floats = each.mean(0)
    return mean, np.sqrt(each.var(0) + noise) if std else np.zeros_like(mean)
