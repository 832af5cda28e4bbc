"""MOEA/D: one network for every direction; neighbours mate and replace each other.

Zhang and Li, "MOEA/D: a multiobjective evolutionary algorithm based on decomposition" (IEEE
Transactions on Evolutionary Computation 2007), objectives in units of their range in the
population, as the paper advises where they differ in scale. Directions and decompositions are
pymoo's. Its loop knows neither units nor constraints; here limits are kept before anything else
counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.directions import directions
from nas.search.searchers.evolved import SMALLEST
from nas.search.searchers.mating import Parents, fresh, initial
from nas.search.searchers.operators import Positions
from nas.search.searchers.scalarise import extent
from nas.search.seen import Seen, keys
from nas.search.task import Task

# A neighbourhood is a fifth of the directions within these numbers. Parents from anywhere are taken
# with a chance of one in ten.
SHARE, FEWEST, MOST = 5, 3, 20
ANYWHERE = 0.1


class Moead:
    """As many directions as ``size``, if not said about as many as are asked for first.

    One objective is one direction, and so one network that its children replace. With two networks
    are compared by Chebyshev's distance from the ideal point, with more by the penalty-based
    boundary intersection.
    """

    def __init__(self, task: Task, rng: np.random.Generator, size: int = 0) -> None:
        self._space = task.space
        self._objectives = len(task.problem.objectives)
        self._rng = rng
        self._size = size
        self._seen = Seen()
        self._waiting: list[tuple[Rows, Floats, Floats]] = []
        self._members: Members | None = None
        # The direction that a child was made for, until the next are asked for.
        self._meant: dict[bytes, int] = {}

    def ask(self, n: int) -> Population:
        """The smallest, the largest and random networks first, children of neighbours after."""
        self._size = self._size or max(n, SMALLEST)
        self._meant.clear()
        if self._members is None:
            return Population(initial(self._space, n, self._seen, self._rng))
        return Population(fresh(self._space, n, self._children, self._seen, self._rng))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Each child replaces those neighbours of its direction that it is better than."""
        violation = np.maximum(violations, 0).sum(axis=1)
        if self._members is None:
            self._waiting.append((population.rows, objectives, violation))
            if sum(len(rows) for rows, _, _ in self._waiting) >= self._size:
                told = (np.concatenate(part) for part in zip(*self._waiting, strict=True))
                self._members = Members(directions(self._objectives, self._size), *told)
                self._waiting = []
            return
        for_any = self._rng.integers(0, len(self._members), len(population)).tolist()
        meant = [
            self._meant.get(key, chance)
            for key, chance in zip(keys(population.rows), for_any, strict=True)
        ]
        self._members.replace(meant, population.rows, objectives, violation)

    def _children(self, n: int) -> Rows:
        """One child for each of ``n`` directions, canonical."""
        assert self._members is not None
        size = len(self._members)
        rounds = -(-n // size)
        turns = self._rng.permuted(np.tile(np.arange(size), (rounds, 1)), axis=1).ravel()[:n]
        near = self._rng.permuted(self._members.near[turns], axis=1)[:, :2]
        far = self._rng.integers(0, size, (n, 2))
        parents = np.where(self._rng.random((n, 1)) < ANYWHERE, far, near)
        members = Parents(self._space, self._members.rows)
        made = self._space.canonical(members.children(parents[:, 0], parents[:, 1], self._rng)[:n])
        self._meant.update(zip(keys(made), turns.tolist(), strict=True))
        return made


class Members:
    """The network that each direction has, ``rows`` [directions, choices], the best of those told.

    ``near`` [directions, neighbours] are the directions that are closest to each, itself first.
    """

    def __init__(
        self, directions: Floats, rows: Rows, objectives: Floats, violation: Floats
    ) -> None:
        self._directions = directions
        self._compared = _decomposition(directions.shape[1])
        apart = np.linalg.norm(directions[:, None] - directions, axis=2)
        self.near: Positions = apart.argsort(axis=1, kind="stable")[:, : _neighbours(len(apart))]
        distances = self._distances(objectives, directions, *extent(objectives))
        best = [np.lexsort((column, violation))[0] for column in distances.T]
        self.rows, self._objectives = rows[best], objectives[best]
        self._violation = violation[best]

    def __len__(self) -> int:
        return len(self._directions)

    def replace(self, meant: list[int], rows: Rows, objectives: Floats, violation: Floats) -> None:
        """Let children compete, each with the neighbours of the direction that it is meant for."""
        ideal, spread = extent(np.concatenate([self._objectives, objectives]))
        for direction, row, values, excess in zip(meant, rows, objectives, violation, strict=True):
            near = self.near[direction]
            both = np.concatenate([values[None], self._objectives[near]])
            at = self._directions[near]
            mine = self._distances(both[:1], at, ideal, spread)[0]
            theirs = self._one_each(both[1:], at, ideal, spread)
            before = self._violation[near]
            better = near[(excess < before) | ((excess == before) & (mine < theirs))]
            self.rows[better], self._objectives[better] = row, values
            self._violation[better] = excess

    def _distances(self, objectives: Floats, at: Floats, ideal: Floats, spread: Floats) -> Floats:
        """How far points [n, k] are from the ideal one, along each direction [d, k]: [n, d]."""
        scaled = (objectives - ideal) / spread
        found = self._compared.do(scaled, weights=at, _type="many_to_many")
        return np.asarray(found, dtype=np.float64)

    def _one_each(self, objectives: Floats, at: Floats, ideal: Floats, spread: Floats) -> Floats:
        """The same for as many points as directions, each along its own: [n]."""
        found = self._compared.do((objectives - ideal) / spread, weights=at, _type="one_to_one")
        return np.asarray(found, dtype=np.float64)


def _neighbours(size: int) -> int:
    return min(max(size // SHARE, FEWEST), MOST)


def _decomposition(objectives: int) -> Any:
    from pymoo.decomposition.pbi import PBI
    from pymoo.decomposition.tchebicheff import Tchebicheff

    return Tchebicheff() if objectives <= 2 else PBI()
