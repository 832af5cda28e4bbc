"""A Gaussian process: a linear trend and a smooth deviation from it, one length for all features.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), chapters 2 and 5.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from predictors.likelihood import Gram, Hyperparameters, likeliest
from predictors.method import Floats, Held, Inputs, Method, State


def fit(
    Z: Floats, y: Floats, folds: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[State, Held]:
    """Hyperparameters and the inverse of the kernel matrix's factor; nothing is random."""
    gram = Gram.of(Z)
    found = likeliest(gram, y, Hyperparameters(0.1, 1.0, Z.shape[1] ** 0.5, 0.1))
    trend, deviation = gram.parts(found)
    factor = np.linalg.inv(np.linalg.cholesky(trend + deviation + found.noise * np.eye(len(Z))))
    precision = factor.T @ factor
    weights = precision @ y
    state = {name: np.array(value) for name, value in asdict(found).items()}
    # In single precision is what is only used so; ``slope`` is that of the trend.
    state |= {
        "inputs": Z.astype(np.float32, copy=False),
        "factor": factor.astype(np.float32, order="F"),
        "weights": weights,
        "slope": weights @ Z,
    }
    return state, _held(precision, weights, y, folds)


def predict(state: State, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n] (equations 2.25 and 2.26)."""
    from scipy.linalg.blas import strmm

    # Single precision halves the time, and the smooth part is bounded; the trend is not.
    single, inputs = Z.astype(np.float32, copy=False), state["inputs"]
    products = single @ inputs.T
    smooth = products - np.einsum("nf,nf->n", single, single)[:, None] / 2
    smooth -= np.einsum("nf,nf->n", inputs, inputs) / 2
    np.minimum(smooth, 0, out=smooth)
    smooth *= np.float32(1 / state["length"] ** 2)
    np.exp(smooth, out=smooth)
    smooth *= np.float32(state["deviation"])
    weights = state["weights"]
    trend = state["trend"] * (weights.sum() + Z @ state["slope"].astype(Z.dtype))
    mean = trend + smooth @ weights.astype(np.float32)
    if not std:
        return mean, np.zeros_like(mean)
    products += 1
    products *= np.float32(state["trend"])
    products += smooth
    # The factor is a lower triangle: half of a product.
    whitened = strmm(1.0, state["factor"], products.T, lower=1, overwrite_b=1)
    own = state["trend"] * (1 + np.einsum("nf,nf->n", Z, Z)) + state["deviation"]
    left = own - np.einsum("sn,sn->n", whitened, whitened)
    return mean, np.sqrt(np.maximum(left, 0) + state["noise"])


def _held(precision: Floats, weights: Floats, y: Floats, folds: npt.NDArray[np.int64]) -> Held:
    # Equations 5.12 and 5.13, for blocks: what is left out needs no second fit.
    mean, std = np.empty_like(y), np.empty_like(y)
    for fold in np.unique(folds):
        at = folds == fold
        covariance = np.linalg.inv(precision[np.ix_(at, at)])
        mean[at] = y[at] - covariance @ weights[at]
        std[at] = np.sqrt(np.maximum(np.diag(covariance), 0))
    return Held(mean, std)


GP = Method(fit, predict)
