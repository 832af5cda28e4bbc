"""What networks take beside time: peak memory, and energy where the device counts it.

Some whole networks are run alone, in a process each. A network's figure is then a weighted sum,
with weights of at least 0, of what it consists of: a constant, its weights, the most that is alive
at once in a layer, its multiply-accumulates. Memory follows weights and live maps, energy follows
work; which of them counts how much the networks tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latency_lut.accuracy import mape
from latency_lut.arrays import Floats
from search_spaces.space import Space

# Figures by name, in units that people use; each is absent where the device does not tell.
NAMES = ("peak_memory_mb", "energy_mj")
FEATURES = ("1", "weights, MB", "live maps, MB", "GMACs")
MB = 1e6
# Networks with a figure that a fit takes: one more than it has coefficients.
LEAST_TOLD = len(FEATURES) + 1


@dataclass(frozen=True)
class CostFit:
    """How a figure follows from ``FEATURES``: one coefficient each, none below 0.

    ``mape`` is how far it is off for networks that were left out of the fit, each once.
    """

    coefficients: tuple[float, ...]
    mape: float


@dataclass(frozen=True)
class Costs:
    """``measured`` are networks, each with its figures by name, None where the device is silent.

    ``fits`` has the figures that it told of enough of them.
    """

    measured: tuple[tuple[tuple[int, ...], Mapping[str, float | None]], ...]
    fits: Mapping[str, CostFit]

    @property
    def absent(self) -> tuple[str, ...]:
        """The figures that the device does not tell, or told of too few networks."""
        return tuple(name for name in NAMES if name not in self.fits)

    def why_absent(self, name: str) -> str:
        """The reason, for a message."""
        told = sum(figures[name] is not None for _, figures in self.measured)
        if told:
            return f"of {told} networks too few had a figure above 0, which {LEAST_TOLD} must have"
        return "the device does not tell"


def fitted(
    space: Space, measured: Sequence[tuple[tuple[int, ...], Mapping[str, float | None]]]
) -> Costs:
    """The fits of all figures that are known of enough of ``measured``.

    A figure of 0 is none: a network that fits into what was free already, or a counter that did
    not move.
    """
    fits = {}
    design = features(space, np.array([row for row, _ in measured]))
    for name in NAMES:
        told = np.array([figures[name] or 0.0 for _, figures in measured])
        known = told > 0
        if known.sum() >= LEAST_TOLD:
            fits[name] = _fit(design[known], told[known])
    return Costs(tuple(measured), fits)


def features(space: Space, X: npt.ArrayLike) -> Floats:
    """What figures are made of, for rows [n, choices]: [n, features]."""
    live = [4 * spec.live / MB for spec in space.specs]
    weights = 4 * space.parameters(X) / MB
    return np.stack(
        [np.ones(len(weights)), weights, space.peak(live, X), space.macs(X) / 1e9], axis=1
    )


def predict(space: Space, fit: CostFit, X: npt.ArrayLike) -> Floats:
    """The figure of every row of ``X`` [n, choices]: [n]."""
    return features(space, X) @ np.array(fit.coefficients)


def _fit(design: Floats, values: Floats) -> CostFit:
    errors = []
    for left_out in range(len(values)):
        rest = np.arange(len(values)) != left_out
        errors.append(float(design[left_out] @ _solved(design[rest], values[rest])))
    off = mape(np.array(errors), values)
    return CostFit(tuple(_solved(design, values).tolist()), off)


def _solved(design: Floats, values: Floats) -> Floats:
    from scipy.optimize import nnls  # Takes a while, and predicting needs it not.

    # Errors count relative to the figure.
    return np.asarray(nnls(design / values[:, None], np.ones(len(values)))[0], dtype=np.float64)
