"""The default: ridge, Gaussian process and networks, weighted by how they do on held-out samples.

Wolpert, "Stacked Generalization" (Neural Networks 1992), with weights that are not negative and
sum to one, which Breiman, "Stacked Regressions" (Machine Learning 1996), found to be what works.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from predictors.gp import GP
from predictors.method import Floats, Held, Inputs, Method, State
from predictors.mlp import MLP
from predictors.ridge import RIDGE

MEMBERS = {"ridge": RIDGE, "gp": GP, "mlp": MLP}
# Members that weigh less change no rank and are not asked.
LEAST_WEIGHT = 0.05
# Equal weights count as much as this many samples with errors of the size that was seen.
PRIOR_SAMPLES = 10


def stack(members: Mapping[str, Method]) -> Method:
    """Members by name, weighted; none of them reads plans."""
    return Method(functools.partial(fit, members), functools.partial(predict, members))


def fit(
    members: Mapping[str, Method],
    Z: Floats,
    y: Floats,
    folds: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[State, Held]:
    """All members on the same folds, and their weights."""
    fitted = {name: member.fit(Z, y, folds, rng) for name, member in members.items()}
    held = [outcome[1] for outcome in fitted.values()]
    weights = _weights(np.stack([each.mean for each in held], axis=1), y)
    state = {"weights": weights}
    for name, (arrays, _) in fitted.items():
        state.update({f"{name}.{key}": array for key, array in arrays.items()})
    mean, std = _mixture(weights, [(each.mean, each.std) for each in held])
    return state, Held(mean, std)


def predict(
    members: Mapping[str, Method], state: State, Z: Inputs, std: bool
) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n] of the mixture of the members."""
    parts = []
    for (name, member), weight in zip(members.items(), state["weights"], strict=True):
        own = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
        zeros = np.zeros(len(Z))
        parts.append(member.predict(own, Z, std) if weight else (zeros, zeros))
    return _mixture(state["weights"], parts)


def _weights(held: Floats, y: Floats) -> Floats:
    """Weights [members] for held-out predictions [n, members]."""
    from scipy.optimize import nnls

    members = held.shape[1]
    pull = np.sqrt(PRIOR_SAMPLES * np.mean((held - y[:, None]) ** 2)) * np.eye(members)
    towards = pull.sum(axis=1) / members
    raw, _ = nnls(np.concatenate([held, pull]), np.concatenate([y, towards]))
    if not raw.any():  # All say the opposite of the labels: nothing speaks for one of them.
        raw = np.ones(members)
    weights = raw / raw.sum()
    kept = np.where(weights < LEAST_WEIGHT, 0, weights)
    result: Floats = kept / kept.sum()
    return result


def _mixture(weights: Floats, parts: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    means, stds = (np.stack(each) for each in zip(*parts, strict=True))
    mean = weights @ means
    return mean, np.sqrt(weights @ (stds**2 + (means - mean) ** 2))


AUTO = stack(MEMBERS)
