"""NSGA-II: pymoo's survivors, with parents chosen here.

Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II" (IEEE Transactions on
Evolutionary Computation 2002).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searchers import operators
from nas.search.searchers.evolved import Choose, Evolved, Method, attribute
from nas.search.searchers.within import Within
from nas.search.seen import Seen
from nas.search.task import Task


def nsga2(
    task: Task,
    rng: np.random.Generator,
    size: int = 0,
    seen: Seen | None = None,
    within: Within | None = None,
) -> Evolved:
    """The searcher; ``size``, ``seen`` and ``within`` as in ``Evolved``."""
    return Evolved(task, rng, Method(_start, _parents), size, seen, within)


def _start(size: int, objectives: int) -> Any:
    from pymoo.algorithms.moo.nsga2 import NSGA2

    return NSGA2(pop_size=size, output=None)


def _parents(algorithm: Any) -> tuple[Any, Choose]:
    members = algorithm.pop
    objectives, violation = members.get("F", "CV")
    # Individuals that are not feasible were never crowded.
    crowding = attribute(members, "crowding")

    def choose(n: int, rng: np.random.Generator) -> operators.Positions:
        return operators.tournament(n, objectives, violation[:, 0], crowding, rng)

    return members, choose
