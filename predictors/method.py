"""The seam between what all predictors share and how one of them regresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Inputs = npt.NDArray[np.floating[Any]]
State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Held:
    """What was predicted for each sample by a fit that had not seen it: ``mean``, ``std`` [n]."""

    mean: Floats
    std: Floats


@dataclass(frozen=True)
class Method:
    """One way to regress standardised labels on features.

    ``fit(Z [n, features], y [n], folds [n], rng)`` returns arrays, all that there is to save, and
    the predictions for each fold by what was fitted on the others. ``predict(state, Z, std)``,
    where ``Z`` may be of single precision, returns mean [n] and standard deviation [n], noise of
    the labels included; the latter is zeros where ``std`` is false, since it can cost more than
    the mean.

    With ``plans`` the last columns of ``Z`` are the networks' plans [n, slots], numbers into the
    specs of the space, as its ``index`` gives them.
    """

    fit: Callable[[Floats, Floats, npt.NDArray[np.int64], np.random.Generator], tuple[State, Held]]
    predict: Callable[[State, Inputs, bool], tuple[Floats, Floats]]
    plans: bool = False


def folds(
    networks: npt.NDArray[np.integer], rng: np.random.Generator, count: int = 5
) -> npt.NDArray[np.int64]:
    """A fold number for each sample: ``count`` folds of about one size, or one network a fold.

    Samples of one of ``networks`` [n] are in one fold: else a sample would be predicted by what
    saw it. Of a single network the samples are divided.
    """
    _, network, sizes = np.unique(networks, return_inverse=True, return_counts=True)
    if len(sizes) == 1:
        network, sizes = np.arange(len(networks)), np.ones(len(networks), dtype=np.int64)
    order = rng.permutation(len(sizes))
    fold_of = np.empty(len(sizes), dtype=np.int64)
    filled = np.zeros(min(count, len(sizes)), dtype=np.int64)
    for one in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[one] = filled.argmin()
        filled[fold_of[one]] += sizes[one]
    return fold_of[network]
