"""An ensemble of small neural networks, each fitted on four fifths of the samples."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from predictors.ensemble import hold_out, mean_and_std
from predictors.method import Floats, Held, Inputs, Method, State

HIDDEN = (32, 32)
PER_FOLD = 2


def fit(
    Z: Floats, y: Floats, folds: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[State, Held]:
    """Two networks for every fold, fitted on the other folds; starts are drawn from ``rng``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    networks = []
    with warnings.catch_warnings():
        # Stopping early is part of the regularisation here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for fold in np.unique(folds):
            for _ in range(PER_FOLD):
                network = MLPRegressor(
                    hidden_layer_sizes=HIDDEN,
                    solver="lbfgs",
                    alpha=0.3,
                    max_iter=200,
                    random_state=int(rng.integers(1 << 31)),
                )
                networks.append(network.fit(Z[folds != fold], y[folds != fold]))
    state: State = {}
    for layer in range(len(HIDDEN) + 1):
        for name, each in (("weights", "coefs_"), ("biases", "intercepts_")):
            arrays = [getattr(network, each)[layer] for network in networks]
            state[f"{name}{layer}"] = np.stack(arrays).astype(np.float32)
    without = np.repeat(np.unique(folds), PER_FOLD)
    state["noise"], held = hold_out(_each(state, Z), without, folds, y)
    return state, held


def predict(state: State, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n]."""
    return mean_and_std(_each(state, Z), state["noise"], std)


def _each(state: State, Z: Inputs) -> Floats:
    """What every network says: [networks, n]. Single precision halves the time."""
    first = state["weights0"]
    networks, features, hidden = first.shape
    # The first layers of all networks are one matrix product.
    x = Z.astype(np.float32, copy=False) @ first.transpose(1, 0, 2).reshape(
        features, networks * hidden
    )
    x = x.reshape(len(Z), networks, hidden).transpose(1, 0, 2)
    for layer in range(len(HIDDEN)):
        if layer:
            x = np.matmul(x, state[f"weights{layer}"])
        x += state[f"biases{layer}"][:, None]
        np.maximum(x, 0, out=x)
    last = len(HIDDEN)
    each = np.matmul(x, state[f"weights{last}"])[..., 0]
    return (each + state[f"biases{last}"]).astype(np.float64)


MLP = Method(fit, predict)
