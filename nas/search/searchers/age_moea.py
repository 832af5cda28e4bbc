"""AGE-MOEA: pymoo's genetic algorithm with survivors by the geometry of the front.

Panichella, "An adaptive evolutionary algorithm based on non-Euclidean geometry for many-objective
optimization" (GECCO 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searchers import operators
from nas.search.searchers.evolved import Choose, Evolved, Method, attribute
from nas.search.task import Task


def age_moea(task: Task, rng: np.random.Generator, size: int = 0) -> Evolved:
    """The searcher; ``size`` as in ``Evolved``."""
    return Evolved(task, rng, Method(_start, _parents), size)


def _start(size: int, objectives: int) -> Any:
    from pymoo.algorithms.base.genetic import GeneticAlgorithm

    from nas.search.searchers.age_survival import AgeSurvival

    return GeneticAlgorithm(
        pop_size=size, survival=AgeSurvival(), advance_after_initial_infill=True, output=None
    )


def _parents(algorithm: Any) -> tuple[Any, Choose]:
    """The one of the better front wins, then the one with the larger score."""
    members = algorithm.pop
    violation = members.get("CV")[:, 0]
    front, score = (
        np.nan_to_num(attribute(members, name), posinf=1e300) for name in ("rank", "crowding")
    )

    def choose(n: int, rng: np.random.Generator) -> operators.Positions:
        a, b = operators.pairs(len(violation), n, rng)
        criteria = [violation[b] - violation[a], front[b] - front[a], score[a] - score[b]]
        return operators.winners((a, b), criteria, rng)

    return members, choose
