"""How pymoo asks for children: all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pymoo.core.infill import InfillCriterion
from pymoo.core.population import Population

from nas.search.searcher import Floats, Rows

Children = Callable[[int, Rows, Floats, tuple[Floats, Floats]], Rows]


class Mating(InfillCriterion):  # type: ignore[misc]  # pymoo has no types
    """Hands ``children`` the population as matrices and makes individuals of what it returns."""

    def __init__(self, children: Children) -> None:
        super().__init__()
        self._children = children

    def do(self, problem: Any, pop: Population, n_offsprings: int, **unused: Any) -> Population:
        rows, objectives, violation, crowding = pop.get("X", "F", "CV", "crowding")
        # Individuals that are not feasible were never crowded.
        crowding = crowding.astype(np.float64)
        return Population.new(
            X=self._children(n_offsprings, rows, objectives, (violation[:, 0], crowding))
        )
