"""A Gaussian process: a linear trend and a smooth deviation from it, one length for all features.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), chapters 2 and 5;
hyperparameters are scikit-learn's maximum of the marginal likelihood.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.method import Floats, Held, Method, State


def fit(
    Z: Floats, y: Floats, folds: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[State, Held]:
    """Hyperparameters and the inverse of the kernel matrix's factor; nothing is random."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    trend = ConstantKernel(0.1, (1e-6, 1e3)) * DotProduct(1.0, sigma_0_bounds="fixed")
    deviation = ConstantKernel(1.0, (1e-4, 1e3)) * RBF(Z.shape[1] ** 0.5, (0.1, 1e3))
    kernel = trend + deviation + WhiteKernel(0.1, (1e-4, 1e1))
    with warnings.catch_warnings():
        # A hyperparameter at the end of its range says that its part of the kernel is not needed.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = GaussianProcessRegressor(kernel, alpha=1e-10).fit(Z, y).kernel_
    state = {
        "inputs": Z,
        "trend": np.array(found.k1.k1.k1.constant_value),
        "deviation": np.array(found.k1.k2.k1.constant_value),
        "length": np.array(found.k1.k2.k2.length_scale),
        "noise": np.array(found.k2.noise_level),
    }
    trend_of_all = state["trend"] * (1 + Z @ Z.T)
    covariance = trend_of_all + _smooth(state, Z, np.float64) + state["noise"] * np.eye(len(Z))
    state["factor"] = np.linalg.inv(np.linalg.cholesky(covariance))
    precision = state["factor"].T @ state["factor"]
    state["weights"] = precision @ y
    return state, _held(precision, state["weights"], y, folds)


def predict(state: State, Z: Floats, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n] (equations 2.25 and 2.26)."""
    # Single precision halves the time, and the smooth part is bounded; the trend is not.
    smooth = _smooth(state, Z, np.float32)
    weights, inputs = state["weights"], state["inputs"]
    trend = state["trend"] * (weights.sum() + Z @ (weights @ inputs))
    mean = trend + smooth @ weights.astype(np.float32)
    if not std:
        return mean, np.zeros_like(mean)
    smooth += (state["trend"] * (1 + Z @ inputs.T)).astype(np.float32)
    whitened = smooth @ state["factor"].T.astype(np.float32)
    own = state["trend"] * (1 + np.einsum("nf,nf->n", Z, Z)) + state["deviation"]
    left = own - np.einsum("ns,ns->n", whitened, whitened)
    return mean, np.sqrt(np.maximum(left, 0) + state["noise"])


def _smooth(state: State, Z: Floats, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The kernel of the deviation between rows [n, features] and the samples: [n, samples]."""
    A, B = Z.astype(dtype), state["inputs"].astype(dtype)
    half: npt.NDArray[Any] = A @ B.T
    half -= np.einsum("nf,nf->n", A, A)[:, None] / 2
    half -= np.einsum("nf,nf->n", B, B) / 2
    half *= A.dtype.type(1 / state["length"] ** 2)
    np.exp(np.minimum(half, 0, out=half), out=half)
    half *= A.dtype.type(state["deviation"])
    return half


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
