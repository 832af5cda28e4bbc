"""The seam between what all predictors share and how one of them regresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
State = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Held:
    """What was predicted for each sample by a fit that had not seen it: ``mean``, ``std`` [n]."""

    mean: Floats
    std: Floats


@dataclass(frozen=True)
class Method:
    """One way to regress standardised labels on features.

    ``fit(Z [n, features], y [n], folds [n], rng)`` returns arrays, all that there is to save, and
    the predictions for each fold by what was fitted on the others. ``predict(state, Z, std)``
    returns mean [n] and standard deviation [n], noise of the labels included; the latter is zeros
    where ``std`` is false, since it can cost more than the mean.
    """

    fit: Callable[[Floats, Floats, npt.NDArray[np.int64], np.random.Generator], tuple[State, Held]]
    predict: Callable[[State, Floats, bool], tuple[Floats, Floats]]


def folds(n: int, rng: np.random.Generator, count: int = 5) -> npt.NDArray[np.int64]:
    """A fold number for each of ``n`` samples: ``count`` of equal size, or one sample a fold."""
    return rng.permutation(n) % min(count, n)
