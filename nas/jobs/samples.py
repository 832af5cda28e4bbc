"""Subnets whose accuracy was measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nas.engine import LOCAL, Engine
from nas.jobs.row_store import RowStore
from search_spaces.space import Population

__all__ = ["Samples"]


class Samples(RowStore[float]):
    """Accuracies in percent of the subnets of one supernet."""

    FORMAT = 2
    COLUMN = "accuracy REAL"
    WHAT = "accuracies"

    def encoded(self, value: float) -> float:
        """As it is."""
        return value

    def decoded(self, kept: float | str) -> float:
        """As it is."""
        return float(kept)

    def measure(
        self,
        X: Population,
        accuracy: Callable[[Population], float],
        tell: Callable[[int, int], None],
        engine: Engine = LOCAL,
    ) -> npt.NDArray[np.float64]:
        """Accuracy in percent of every row of ``X`` [n, choices]: [n]; see ``values``."""
        return np.array(self.values(X, accuracy, tell, engine))
