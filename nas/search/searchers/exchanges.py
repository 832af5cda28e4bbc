"""Climbs to the best network that keeps the limits, by exchanges of a few choices at once.

Under a limit a better choice in one place has to be paid for in another, so that changing one
choice rarely helps and evolution has to meet the right pair by chance. Here all single changes of
the best network are evaluated, and then what two to four of them promise together. Where nothing
near is better, some choices are changed at random and the next climb begins (Lourenço, Martin and
Stützle, "Iterated local search", Handbook of Metaheuristics 2003), or it begins among random ones:
the best network of a climb that began elsewhere is often far from those near the best so far.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from nas.search.problem import UPPER
from nas.search.searcher import Floats, Rows
from nas.search.searchers import operators
from nas.search.searchers.moves import Row, combined, moves
from nas.search.seen import Seen, keys
from search_spaces.space import Space

# Nothing is exchanged before so many networks are known: until then chance and crossing do better.
FIRST = 1_000
# Sets of moves that are evaluated around one network.
SETS = 128
# How many choices are changed at random where a climb ended, and how many climbs in a row may
# bring nothing before there are no more of them.
KICKED, PATIENCE = 6, 60
# How often it begins elsewhere instead, at the best of so many random networks.
ELSEWHERE, STARTS = 0.75, 64
# Networks whose values are remembered, the last ones.
REMEMBERED = 200_000


class Exchanges:
    """What climbs for one objective, ``column``, among all that is told.

    ``ask`` gives at most as many rows as it is asked for, and none while there is nothing to climb
    from. All that was told counts, whoever asked for it.
    """

    def __init__(self, space: Space, rng: np.random.Generator, seen: Seen, column: int) -> None:
        """``seen`` are rows that somebody asked for before; it learns of those asked here."""
        self._space = space
        self._rng = rng
        self._seen = seen
        self._column = column
        # What is minimised and the violations of what was told, by key, the oldest first.
        self._known: dict[bytes, Floats] = {}
        self._told = 0
        # The best network that keeps all limits, and what it is worth.
        self._best: Row | None = None
        self._value = np.inf
        # The one of them from which was climbed last.
        self._climbed: Row = np.full(len(space.choices), -1)
        # The network at hand, what is next to it, and what is still to be asked.
        self._at: Row | None = None
        self._around: Rows | None = None
        self._sets: Rows | None = None
        self._starts: Rows | None = None
        self._waiting = self._none()
        self._idle = 0

    @property
    def ended(self) -> bool:
        """Whether there is nothing to ask, unless something better than all is told."""
        return self._idle >= PATIENCE and not len(self._waiting)

    def ask(self, n: int) -> Rows:
        """Up to ``n`` canonical rows [n, choices] that nobody asked for."""
        if self._best is None or self._told < FIRST or not n:
            return self._none()
        found = self._none()
        # What comes next depends on what is asked here, so no further than to the first rows.
        while not len(found) and (len(self._waiting) or self._next()):
            turn, self._waiting = self._waiting[:n], self._waiting[n:]
            found = turn[self._seen.add(turn)]
        return found

    def tell(self, rows: Rows, objectives: Floats, violations: Floats) -> None:
        """Learn of rows [n, choices], with [n, objectives] and [n, limits]."""
        if not len(rows):
            return
        values = np.column_stack([objectives[:, self._column], violations])
        self._known.update(zip(keys(rows), values, strict=True))
        self._told += len(rows)
        self._better(rows, values)
        self._forget()

    def _better(self, rows: Rows, values: Floats) -> None:
        worth = np.where((values[:, 1:] <= 0).all(axis=1), values[:, 0], np.inf)
        best = int(worth.argmin())
        if worth[best] < self._value:
            self._best, self._value, self._idle = rows[best].copy(), float(worth[best]), 0

    def _forget(self) -> None:
        """The oldest, but never the best network, which is climbed from again and again."""
        if self._best is not None:
            best = keys(self._best[None])[0]
            self._known[best] = self._known.pop(best)
        for key in list(itertools.islice(self._known, max(len(self._known) - REMEMBERED, 0))):
            del self._known[key]

    def _next(self) -> bool:
        """Decide what is to be asked next, by all that was told; False where climbs have ended."""
        if self._idle >= PATIENCE:
            return False
        if self._starts is not None:
            self._at = self._first()
        if self._at is None:
            self._leave()
            return True
        here = self._values(self._at[None])[0]
        if np.isnan(here).any():
            # Asked by somebody and not answered: a failure, or not answered yet.
            self._leave()
        elif self._around is None:
            self._around = self._waiting = moves(self._space, self._at, self._rng)
        elif self._sets is None:
            self._sets = self._waiting = self._several(here)
        else:
            self._step(here)
        return True

    def _first(self) -> Row | None:
        """Of random networks the best that keeps the limits, else the one that is nearest."""
        assert self._starts is not None
        starts, self._starts = self._starts, None
        values = self._values(starts)
        told = np.flatnonzero(~np.isnan(values).any(axis=1))
        if not len(told):
            return None
        excess = np.maximum(values[told, 1:], 0).sum(axis=1)
        return np.asarray(starts[told[np.lexsort((values[told, 0], excess))[0]]])

    def _several(self, here: Floats) -> Rows:
        """Sets of moves that promise something, by what single ones brought."""
        assert self._at is not None and self._around is not None
        values = self._values(self._around)
        told = ~np.isnan(values).any(axis=1)
        if not told.any():
            return self._none()
        brought = here - values[told]
        around = self._around[told]
        return combined(
            self._space, self._at, around, brought[:, 0], brought[:, 1:], here[1:], SETS
        )

    def _step(self, here: Floats) -> None:
        """To the best of what was tried, or away from where nothing is better."""
        assert self._around is not None and self._sets is not None
        tried = np.concatenate([self._around, self._sets])
        values = self._values(tried)
        worth = np.where((values[:, 1:] <= 0).all(axis=1), values[:, 0], np.inf)
        best = int(worth.argmin())
        if worth[best] < (here[0] if (here[1:] <= 0).all() else np.inf):
            self._begin(tried[best])
        else:
            self._leave()

    def _leave(self) -> None:
        """To the best network if nobody climbed from there, else to one near it."""
        assert self._best is not None
        if (self._best != self._climbed).any():
            self._climbed = self._best
            self._begin(self._best)
            return
        self._idle += 1
        if self._idle >= PATIENCE:
            # Nothing that would be asked now would be climbed from.
            return
        if self._rng.random() < ELSEWHERE:
            self._begin(None)
            self._starts = self._waiting = self._space.sample(STARTS, self._rng)
            return
        options = operators.sizes(self._space)
        row = operators.fill_unread(self._space, self._best[None], self._rng)[0]
        open_ = np.flatnonzero(self._space.used(self._best[None])[0] & (options > 1))
        kicked = self._rng.permutation(open_)[:KICKED]
        row[kicked] = self._rng.integers(0, options[kicked])
        self._begin(self._space.canonical(row[None])[0])

    def _begin(self, row: Row | None) -> None:
        self._at, self._around, self._sets, self._starts = row, None, None, None
        self._waiting = self._none() if row is None else row[None]

    def _values(self, rows: Rows) -> Floats:
        """What was told of rows [n, choices], [n, 1 + limits]; NaN where nothing was."""
        assert self._known
        unknown = np.full_like(next(iter(self._known.values())), np.nan)
        return np.array([self._known.get(key, unknown) for key in keys(rows)]).reshape(
            len(rows), len(unknown)
        )

    def _none(self) -> Rows:
        return np.empty((0, len(self._space.choices)), dtype=np.int64)


def aims(objectives: Iterable[str], limited: Iterable[str]) -> list[int]:
    """Columns of the objectives that limits are spent on: those without one, else the first.

    Who limits the upper end of an objective limits the objective.
    """
    limits = set(limited)
    names = limits | {name.removesuffix(UPPER) for name in limits}
    free = [column for column, name in enumerate(objectives) if name not in names]
    return free or [0]
