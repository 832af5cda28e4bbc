"""NSGA-III and its unified form: pymoo's survivors, spread over reference directions.

Deb and Jain, "An evolutionary many-objective optimization algorithm using reference-point-based
nondominated sorting approach, part I" (IEEE Transactions on Evolutionary Computation 2014); Seada
and Deb, "A unified evolutionary optimization procedure for single, multiple, and many objectives"
(IEEE Transactions on Evolutionary Computation 2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searchers import operators
from nas.search.searchers.directions import directions
from nas.search.searchers.evolved import Choose, Evolved, Method, attribute
from nas.search.task import Task


def nsga3(task: Task, rng: np.random.Generator, size: int = 0) -> Evolved:
    """The searcher; ``size`` as in ``Evolved``, and about as many directions."""
    return Evolved(task, rng, Method(_start, _any), size)


def unsga3(task: Task, rng: np.random.Generator, size: int = 0) -> Evolved:
    """The same with parents that won in their niche, which one or two objectives need."""
    return Evolved(task, rng, Method(_start, _of_a_niche), size)


def _start(size: int, objectives: int) -> Any:
    from pymoo.algorithms.moo.nsga3 import NSGA3

    found = directions(objectives, size)
    return NSGA3(found, pop_size=max(size, len(found)), output=None)


def _any(algorithm: Any) -> tuple[Any, Choose]:
    """Of two that are both feasible chance takes one."""
    members = algorithm.pop
    violation = members.get("CV")[:, 0]

    def choose(n: int, rng: np.random.Generator) -> operators.Positions:
        a, b = operators.pairs(len(violation), n, rng)
        return operators.winners((a, b), [violation[b] - violation[a]], rng)

    return members, choose


def _of_a_niche(algorithm: Any) -> tuple[Any, Choose]:
    """Of two that lie at one direction the better rank wins, then the nearer one."""
    members = algorithm.pop
    violation = members.get("CV")[:, 0]
    niche, rank, distance = (
        np.nan_to_num(attribute(members, name), nan=-1)
        for name in ("niche", "rank", "dist_to_niche")
    )

    def choose(n: int, rng: np.random.Generator) -> operators.Positions:
        a, b = operators.pairs(len(violation), n, rng)
        together = (niche[a] == niche[b]) & (niche[a] >= 0)
        criteria = [
            violation[b] - violation[a],
            together * (rank[b] - rank[a]),
            together * (distance[b] - distance[a]),
        ]
        return operators.winners((a, b), criteria, rng)

    return members, choose
