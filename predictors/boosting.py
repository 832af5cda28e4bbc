"""Gradient boosting: a linear fit, and shallow trees that each correct what came before.

Friedman, "Stochastic Gradient Boosting" (Computational Statistics & Data Analysis 2002), as
scikit-learn fits it, a model for every fold. Trees alone spend their few samples on what is linear.
A tree is kept as a complete one: seven tests, the root's and then those of its children, level by
level, and eight leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.ensemble import hold_out, mean_and_std
from predictors.method import Floats, Held, Inputs, Method, State

Bits = npt.NDArray[np.bool_]

DEPTH = 3
TREES = 100
LEARNING_RATE = 0.1
# Shares of the samples and of the features that a tree is shown, so that trees differ.
SAMPLES, FEATURES = 0.7, 0.3


def fit(
    Z: Floats, y: Floats, folds: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[State, Held]:
    """A boosted model for every fold, fitted on the other folds."""
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import BayesianRidge

    without = np.unique(folds)
    models = []
    for fold in without:
        seen = folds != fold
        model = GradientBoostingRegressor(
            init=BayesianRidge(),
            learning_rate=LEARNING_RATE,
            n_estimators=TREES,
            max_depth=DEPTH,
            # Of a single sample none would be left out, of which scikit-learn takes a mean.
            subsample=SAMPLES if seen.sum() > 1 else 1.0,
            max_features=FEATURES,
            random_state=int(rng.integers(1 << 31)),
        )
        models.append(model.fit(Z[seen], y[seen]))
    state = flattened(models)
    state["noise"], held = hold_out(_each(state, Z), without, folds, y)
    return state, held


def predict(state: State, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n]."""
    return mean_and_std(_each(state, Z), state["noise"], std)


def flattened(models: list[Any]) -> State:
    """Scikit-learn's models as arrays.

    ``weights`` [models, features] and ``bias`` [models] of the linear fits; ``feature`` and
    ``threshold`` [models, trees, 7]; ``leaf`` [models, trees, 8], times the learning rate. Below a
    leaf that is not at the bottom all are the same.
    """
    trees = [[_complete(one.tree_) for one in model.estimators_[:, 0]] for model in models]
    feature, threshold, leaf = (
        np.array([[tree[part] for tree in of_one] for of_one in trees]) for part in range(3)
    )
    return {
        "weights": np.array([model.init_.coef_ for model in models]),
        "bias": np.array([model.init_.intercept_ for model in models]),
        "feature": feature.astype(np.int64),
        "threshold": _rounded_down(threshold),
        "leaf": np.array([model.learning_rate for model in models])[:, None, None] * leaf,
    }


def _complete(tree: Any) -> tuple[list[int], list[float], list[float]]:
    level = [0]
    feature: list[int] = []
    threshold: list[float] = []
    for _ in range(DEPTH):
        below: list[int] = []
        for node in level:
            ends = tree.children_left[node] < 0
            feature.append(0 if ends else int(tree.feature[node]))
            threshold.append(float(tree.threshold[node]))
            below += (node, node) if ends else (tree.children_left[node], tree.children_right[node])
        level = below
    return feature, threshold, [float(tree.value[node, 0, 0]) for node in level]


def _rounded_down(values: Floats) -> npt.NDArray[np.float32]:
    """In single precision, never larger: numbers of single precision compare with both alike."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _each(state: State, Z: Inputs) -> Floats:
    """What every model says: [models, n]."""
    # Single precision is what scikit-learn's trees are fitted on and asked with.
    columns = np.ascontiguousarray(Z.T, dtype=np.float32)
    each: Floats = state["weights"] @ Z.T.astype(np.float64) + state["bias"][:, None]
    trees = (state["feature"], state["threshold"], state["leaf"])
    for total, *of_model in zip(each, *trees, strict=True):
        for feature, threshold, leaf in zip(*of_model, strict=True):
            total += leaf[_leaves(columns, feature, threshold)]
    return each


def _leaves(
    columns: npt.NDArray[np.float32],
    feature: npt.NDArray[np.int64],
    threshold: npt.NDArray[np.float32],
) -> npt.NDArray[np.intp]:
    """The leaf 0 to 7 of every row: [n]; to the right where a feature is above the threshold."""
    # All tests of a tree, of which three count: on bytes that is faster than walking down.
    right = [columns[f] > t for f, t in zip(feature.tolist(), threshold, strict=True)]
    second = _either(right[0], right[1], right[2])
    third = _either(
        right[0], _either(second, right[3], right[4]), _either(second, right[5], right[6])
    )
    leaf = right[0].view(np.uint8) * np.uint8(4)
    leaf |= second.view(np.uint8) * np.uint8(2)
    leaf |= third.view(np.uint8)
    return leaf.astype(np.intp)


def _either(test: Bits, low: Bits, high: Bits) -> Bits:
    # Many times as fast as np.where.
    return low ^ ((low ^ high) & test)


BOOSTING = Method(fit, predict)
