"""Bayesian ridge regression: linear in the features, strong when samples are few.

MacKay, "Bayesian Interpolation" (Neural Computation 1992), as scikit-learn fits it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from predictors.method import Floats, Held, Inputs, Method, State


def fit(
    Z: Floats, y: Floats, folds: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[State, Held]:
    """Weights and their covariance; nothing is random."""
    from sklearn.linear_model import BayesianRidge

    model = BayesianRidge().fit(Z, y)
    factor = _factor(model.sigma_)
    state = {
        "weights": model.coef_,
        "bias": np.array(model.intercept_),
        "factor": factor.astype(np.float32),
        "noise": np.array(1 / model.alpha_),
        "middle": (Z.mean(0) @ factor).astype(np.float32),
    }
    return state, _held(state, factor, Z, y, folds)


def _factor(covariance: Floats) -> Floats:
    """``F`` with ``F @ F.T`` the covariance [features, features], which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    factor: Floats = vectors * np.sqrt(np.maximum(values, 0))
    return factor


def predict(state: State, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n]."""
    mean = (Z @ state["weights"].astype(Z.dtype)).astype(np.float64) + state["bias"]
    if not std:
        return mean, np.zeros_like(mean)
    # Single precision halves the time, and squares of a factor are never below zero.
    away = Z.astype(np.float32, copy=False) @ state["factor"] - state["middle"]
    return mean, np.sqrt(np.einsum("nf,nf->n", away, away) + state["noise"])


def _held(state: State, factor: Floats, Z: Floats, y: Floats, folds: npt.NDArray[np.int64]) -> Held:
    # With the two precisions fixed, leaving samples out needs no second fit: their residuals
    # are (I - H)^-1 those of the fit, H the block of the hat matrix that belongs to them.
    mean, std = np.empty_like(y), np.empty_like(y)
    residual = y - predict(state, Z, False)[0]
    away = (Z - Z.mean(0)) @ factor
    for fold in np.unique(folds):
        at = folds == fold
        hat = away[at] @ away[at].T / state["noise"] + 1 / len(y)
        inverse = np.linalg.pinv(np.eye(at.sum()) - hat, hermitian=True)
        mean[at] = y[at] - inverse @ residual[at]
        std[at] = np.sqrt(np.maximum(np.diag(inverse), 1) * state["noise"])
    return Held(mean, std)


RIDGE = Method(fit, predict)
