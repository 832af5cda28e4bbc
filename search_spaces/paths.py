"""The networks of a space as the paths of one graph.

Every canonical row is one path from the start to the end, and every path a row: an edge is what
stands in a slot after all that still matters of the way to it. So a sum over layers and decisions
is a sum over edges, for programmes that look for the best path and for expectations over all.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search_spaces import tables
from search_spaces.net import Leaf
from search_spaces.space import Space
from search_spaces.specs import Tensor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Paths:
    """Edges in the order of slots, the image's first; nodes are numbered along every path.

    Attributes:
        space: whose networks these are; with ``image`` only those that take it.
        tail, head: the nodes of every edge: [edges]. Node 0 is the start, the last the end.
        slot: 0 for the image, else the column of ``space.index`` and one: [edges].
        spec: what stands there, a number into ``space.specs``; 0 for the image and SKIP: [edges].
        taken: [decisions, 2], pairs of an edge and an option that it decides on. Options are
            numbered through all choices, those of a choice from its place in ``offsets`` on.
        offsets: [choices + 1].
    """

    space: Space
    image: Tensor | None
    tail: Ints
    head: Ints
    slot: Ints
    spec: Ints
    taken: Ints
    offsets: Ints

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return int(self.head.max()) + 1

    def layers(self, metric: npt.ArrayLike) -> Floats:
        """``metric`` of what stands at every edge: [edges], from [specs] or [slots, specs]."""
        values = np.asarray(metric, dtype=np.float64)
        if values.ndim == 1:
            return np.where(self.slot > 0, values[self.spec], 0.0)
        return np.where(self.slot > 0, values[self.slot - 1, self.spec], 0.0)

    def decisions(self, values: npt.ArrayLike) -> Floats:
        """The sum of ``values`` [options] of what every edge decides on: [edges]."""
        edge, option = self.taken.T
        weights = np.asarray(values, dtype=np.float64)[option]
        return np.bincount(edge, weights, minlength=len(self.tail)).astype(np.float64)

    def bounds(self, weights: Floats) -> tuple[float, float]:
        """The least and the most that ``weights`` [edges] sum to along a path."""
        low, high = np.full(self.nodes, np.inf), np.full(self.nodes, -np.inf)
        low[0] = high[0] = 0.0
        for part in self.parts():
            tail, head = self.tail[part], self.head[part]
            np.minimum.at(low, head, low[tail] + weights[part])
            np.maximum.at(high, head, high[tail] + weights[part])
        return float(low[-1]), float(high[-1])

    def options(self, edges: Ints) -> Ints:
        """What a path's ``edges`` decide on: numbers of options."""
        taken: Ints = self.taken[np.isin(self.taken[:, 0], edges), 1]
        return taken

    def row(self, edges: Ints) -> Ints:
        """The row [choices] of a path's ``edges``; what it does not decide on is 0."""
        options = self.options(edges)
        choices = np.searchsorted(self.offsets, options, side="right") - 1
        row = np.zeros(len(self.offsets) - 1, dtype=np.int64)
        row[choices] = options - self.offsets[choices]
        return row

    def edges(self, X: npt.ArrayLike) -> Ints:
        """The edges of the paths that rows [n, choices] take: [n, slots + 1].

        A row that no path takes (of another image) has -1 from there on.
        """
        rows = self.space.checked(X) + self.offsets[:-1]
        fits = np.ones((len(rows), len(self.tail)), dtype=np.bool_)
        for edge, option in self.taken:
            choice = np.searchsorted(self.offsets, option, side="right") - 1
            fits[:, edge] &= rows[:, choice] == option
        at = np.zeros(len(rows), dtype=np.int64)
        found = np.full((len(rows), len(self.space.slots) + 1), -1)
        for column, part in enumerate(self.parts()):
            passed = fits[:, part] & (self.tail[part] == at[:, None])
            taken = np.where(passed.any(axis=1), part.start + passed.argmax(axis=1), -1)
            found[:, column] = taken
            at = np.where(taken >= 0, self.head[taken], -1)
        return found

    def parts(self) -> list[slice]:
        """The edges of each slot, the image first."""
        ends = np.searchsorted(self.slot, np.arange(len(self.space.slots) + 2))
        return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def paths(space: Space, image: Tensor | None = None) -> Paths:
    """The graph of all networks; with ``image`` of those that take it."""
    offsets = np.cumsum([0, *(len(choice.values) for choice in space.choices)])
    number = {spec: i for i, spec in enumerate(space.specs)}
    node = {tables.START: 0}
    total = 1
    edges: list[tuple[int, int, int, int]] = []
    taken: list[tuple[int, int]] = []
    for slot, steps in enumerate(space.walk(image)):
        after: dict[tables.Situation, int] = {}
        for step in steps:
            head = after.setdefault(step.after, total + len(after))
            spec = number[step.leaf.spec] if isinstance(step.leaf, Leaf) else 0
            taken += [(len(edges), int(offsets[choice]) + o) for choice, o in step.added]
            edges.append((node[step.before], head, slot, spec))
        node = after
        total += len(after)
    tails, heads, slots, specs = np.array(edges, dtype=np.int64).T
    pairs = np.array(taken, dtype=np.int64).reshape(-1, 2)
    return Paths(space, image, tails, heads, slots, specs, pairs, offsets)
