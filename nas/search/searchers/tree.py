"""The tree of choices: which rows go through each node, and what they were worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Rows

NONE = -1


class Tree:
    """Node 0 is the empty row; an edge is an option of the next choice.

    ``children`` [nodes, widest] are numbers of nodes, ``NONE`` where no row went.
    """

    def __init__(self, choices: int, widest: int) -> None:
        self.children = np.full((1, widest), NONE, dtype=np.int64)
        self._choices = choices

    def __len__(self) -> int:
        return len(self.children)

    def paths(self, rows: Rows, used: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The nodes on the way to canonical rows [n, choices], new ones where there was none.

        [n, choices + 1], the root first. ``used`` [n, choices] says which choices rows read: all
        options of one that is not read lead the same way, so that none of them is a way untried.
        """
        paths = np.zeros((len(rows), self._choices + 1), dtype=np.int64)
        for choice, options in enumerate(rows.T):
            at = paths[:, choice]
            missing = self.children[at, options] == NONE
            edges = np.unique(np.column_stack([at[missing], options[missing]]), axis=0)
            fresh = np.full((len(edges), self.children.shape[1]), NONE, dtype=np.int64)
            self.children[edges[:, 0], edges[:, 1]] = len(self) + np.arange(len(edges))
            self.children = np.concatenate([self.children, fresh])
            paths[:, choice + 1] = self.children[at, options]
            unread = at[~used[:, choice]]
            shared = paths[~used[:, choice], choice + 1, None]
            ways = self.children[unread]
            self.children[unread] = np.where(ways == NONE, shared, ways)
        return paths


def summed(places: npt.NDArray[np.int64], worth: Floats, count: int) -> tuple[Floats, Floats]:
    """How many rows went through each of ``count`` places [n, m], and the sums of their rewards.

    Rewards are [n, d]; visits are [count], sums [d, count].
    """
    flat, passed = places.ravel(), places.shape[1]
    visits = np.bincount(flat, minlength=count).astype(np.float64)
    sums = [np.bincount(flat, np.repeat(column, passed), count) for column in worth.T]
    return visits, np.stack(sums)


def uct(sums: Floats, visits: Floats, parent: float, exploration: float) -> Floats:
    """Upper confidence bounds of children that were visited at least once: [children].

    Mean reward + exploration * sqrt(ln(visits of the parent) / visits): UCB1 on a tree (Kocsis and
    Szepesvari, "Bandit based Monte-Carlo planning", ECML 2006).
    """
    return np.asarray(sums / visits + exploration * np.sqrt(np.log(parent) / visits))
