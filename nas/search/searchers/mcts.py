"""Monte Carlo tree search over the sequence of choices.

Kocsis and Szepesvari, "Bandit based Monte-Carlo planning" (ECML 2006); for architectures Wang et
al., "AlphaX: eXploring neural architectures with deep neural networks and Monte Carlo tree search"
(2019), and Su et al., "Prioritized architecture sampling with Monto-Carlo tree search" (CVPR 2021).

A row goes down the tree by UCT until it takes an option that no row has taken there. From there on
options are drawn by what rows with them were worth on average, wherever they had them (Finnsson
and Bjornsson, "Simulation-based approach to general game playing", AAAI 2008). Rewards are shares
of ranks, so that one constant of exploration suits all objectives; each row is drawn for one of
some preferences, and what is told of a row counts for all of them.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.directions import lattice
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.operators import sizes
from nas.search.searchers.preference import rewards
from nas.search.searchers.stirred import stirred
from nas.search.searchers.tree import NONE, Tree, summed, uct
from nas.search.seen import Seen
from nas.search.surrogate.history import History
from nas.search.task import Task

# Chosen on one training of NAS-Bench-Macro and on made-up objectives.
EXPLORATION, SHARPNESS = 0.1, 10.0
# Rewards are taken to this power: what counts under a node is whether some rows are very good.
POWER = 4
PREFERENCES = 8


class Mcts:
    """The tree is searched; the statistics of its nodes are made anew from all that was told.

    Rewards are ranks, and ranks change with every row.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space, self._rng = task.space, rng
        self._preferences = lattice(len(task.problem.objectives), PREFERENCES)
        self._options = sizes(task.space)
        self._widest = int(self._options.max())
        self._tree = Tree(len(self._options), self._widest)
        self._paths = np.empty((0, len(self._options) + 1), dtype=np.int64)
        self._used = np.empty((0, len(self._options)), dtype=np.bool_)
        self._seen = Seen()
        self._told = History(task.space)

    def ask(self, n: int) -> Population:
        """The smallest and largest network and random ones first, then ways down the tree."""
        if not len(self._told):
            return Population(initial(self._space, n, self._seen, self._rng))
        worth = rewards(self._told.objectives, self._told.violations, self._preferences) ** POWER
        visits, sums = summed(self._paths, worth, len(self._tree))
        chances = self._rollouts(worth)

        def draw(count: int) -> Rows:
            which = self._rng.integers(0, len(sums), count)
            rows = [self._walk(visits, sums[k], chances[k]) for k in which]
            return self._space.canonical(np.array(rows))

        make = stirred(self._space, draw, self._rng)
        return Population(fresh(self._space, n, make, self._seen, self._rng))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """The way to every row becomes part of the tree."""
        self._told.add(population, objectives, violations)
        used = self._space.used(population.rows)
        self._used = np.concatenate([self._used, used])
        self._paths = np.concatenate([self._paths, self._tree.paths(population.rows, used)])

    def _rollouts(self, worth: Floats) -> Floats:
        """Chances [preferences, choices, widest] of options where the tree ends."""
        choices = np.arange(len(self._options))
        shape = len(self._options), self._widest
        # Rows say nothing of choices that they do not read: those count in a place of their own.
        nowhere = shape[0] * shape[1]
        places = np.where(self._used, choices * self._widest + self._told.rows, nowhere)
        visits, sums = summed(places, worth, nowhere + 1)
        visits, sums = visits[:-1], sums[:, :-1]
        # An option that was never seen is as good as any.
        means = (sums + worth.mean(axis=0)[:, None]) / (visits + 1)
        heights = np.exp(SHARPNESS * means.reshape(-1, *shape))
        heights *= np.arange(self._widest) < self._options[:, None]
        return np.asarray(heights / heights.sum(axis=2, keepdims=True))

    def _walk(self, visits: Floats, sums: Floats, chances: Floats) -> list[int]:
        """Options of one row. ``visits`` grow on the way, rewards do not, so that the next row of
        a batch goes elsewhere (a virtual loss: Chaslot, Winands and van den Herik, "Parallel
        Monte-Carlo tree search", CG 2008)."""
        row: list[int] = []
        node = 0
        for choice, options in enumerate(self._options):
            if node == NONE:
                row.append(int(self._rng.choice(self._widest, p=chances[choice])))
                continue
            visits[node] += 1
            children = self._tree.children[node, :options]
            untried = np.flatnonzero(children == NONE)
            if len(untried):
                row.append(int(self._rng.choice(untried)))
            else:
                bounds = uct(sums[children], visits[children], visits[node], EXPLORATION)
                row.append(int(self._rng.choice(np.flatnonzero(bounds == bounds.max()))))
            node = int(children[row[-1]])
        return row
