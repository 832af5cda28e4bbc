"""Costs taken for quality: proxies that need no weights, no images and no time."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from predictors.errors import PredictorError
from predictors.method import Floats
from search_spaces.space import Space
from search_spaces.unknown import unknown

COSTS = {"macs": "MACs, million", "parameters": "parameters, million"}
"""The proxies that there are, and what they predict: name and unit."""


class CostProxy:
    """The larger network is taken for the better one; ``predict`` as a ``Predictor``'s.

    Predicted is minus the cost in millions, so that smaller is better as with errors. It orders
    networks and says nothing of how accurate they are; within one space many a costly proxy orders
    them no better (White et al., "A Deeper Look at Zero-Cost Proxies for Lightweight NAS", 2022).
    """

    def __init__(self, name: str, space: Space) -> None:
        """``name``: one of ``COSTS``.

        Raises:
            PredictorError: another name.
        """
        if name not in COSTS:
            raise PredictorError(unknown("proxy", name, COSTS))
        self.name = name
        self.unit = COSTS[name]
        self._cost = space.macs if name == "macs" else space.parameters

    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[False] = ...) -> Floats: ...
    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[True]) -> tuple[Floats, Floats]: ...
    def predict(self, X: npt.ArrayLike, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """Minus the cost in millions [n] of rows [n, choices]; its deviations are 0.

        Raises:
            SpaceError: rows that are not of the space.
        """
        values = -np.asarray(self._cost(X), dtype=np.float64) / 1e6
        return (values, np.zeros(len(values))) if return_std else values
