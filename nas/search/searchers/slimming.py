"""Latency-driven slimming: from the largest network down, by what a millisecond costs.

Li et al., "EfficientFormer: Vision Transformers at MobileNet Speed" (NeurIPS 2022): of all ways to
make a network smaller by one step, the one that loses the least accuracy for each millisecond that
it wins. There losses come from importances that are learnt with the supernet; here from
evaluations. Half of a batch changes the best networks at random, for one greedy way down passes
many by.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers import operators
from nas.search.searchers.elite import Elite
from nas.search.searchers.mating import fresh
from nas.search.seen import Seen, keys, unseen
from nas.search.task import Task

# The best networks, which are changed at random.
ELITE = 50
# Once all steps of the largest network are known so many are tried of each, by what they promise.
STEPS = 8
# The share of choices that are enlarged again where the way down ended.
ENLARGED = 0.1


class Slimming:
    """The first objective is what is lost; the others and the limits are what is won.

    A step is one option less in one choice, since spaces list options from small to large. A way
    down ends where the limits are kept, or where nothing more is won; the next begins at one of the
    best networks, some choices of it at their largest.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space = task.space
        self._rng = rng
        self._seen = Seen()
        self._at: Rows = task.space.largest
        # Objectives and violations of what was told, by key.
        self._told: dict[bytes, tuple[Floats, Floats]] = {}
        # What a step lost for what it won when it was last tried, by choice and option.
        self._promise: dict[tuple[int, int], float] = {}
        self._elite = Elite(ELITE)
        self._range: tuple[Floats, Floats] | None = None

    def ask(self, n: int) -> Population:
        """The network that is slimmed and steps down from it, then changes of the best so far."""
        rows = self._way_down()[: n if not self._promise else max(1, n // 2)]
        rows = rows[self._seen.add(rows)]
        missing = n - len(rows)
        if not len(self._elite):
            more = unseen(self._space, missing, self._rng, self._seen)
        else:
            more = fresh(self._space, missing, self._changed, self._seen, self._rng)
        return Population(np.concatenate([rows, more]))

    def _way_down(self) -> Rows:
        """What is not asked yet of the network at hand and of the steps from it, in order."""
        steps, moves = self._steps()
        if self._promise:
            promises = [self._promise.get(move, -np.inf) for move in moves]
            steps = steps[np.argsort(promises, kind="stable")[:STEPS]]
        rows = np.concatenate([self._at[None], self._space.smallest[None], steps])
        return rows[[key not in self._seen for key in keys(rows)]]

    def _steps(self) -> tuple[Rows, list[tuple[int, int]]]:
        """The networks one step below the one at hand, and each one's choice and option."""
        choices = np.flatnonzero(self._space.used(self._at)[0] & (self._at > 0))
        rows = np.repeat(self._at[None], len(choices), axis=0)
        rows[np.arange(len(choices)), choices] -= 1
        rows = self._space.canonical(rows)
        moves = [(int(choice), int(self._at[choice])) for choice in choices]
        return rows, moves

    def _changed(self, n: int) -> Rows:
        """``n`` of the best networks with a choice or two changed, not canonical."""
        rows = self._elite.rows[self._rng.integers(0, len(self._elite), n)]
        rows = operators.fill_unread(self._space, rows, self._rng)
        return operators.mutate(self._space, rows, self._rng)

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """The best step that is known is taken."""
        if not len(population):
            return
        names = keys(population.rows)
        self._told.update(zip(names, zip(objectives, violations, strict=True), strict=True))
        won = np.column_stack([objectives[:, 1:], violations])
        low, high = won.min(axis=0), won.max(axis=0)
        if self._range is not None:
            low, high = np.minimum(low, self._range[0]), np.maximum(high, self._range[1])
        self._range = low, high
        self._elite.add(population.rows, objectives, violations)
        self._step()

    def _step(self) -> None:
        steps, moves = self._steps()
        names = keys(steps)
        # The steps of the largest network are all tried before one is taken.
        if not self._promise and any(name not in self._seen for name in names):
            return
        here = self._told.get(keys(self._at[None])[0])
        if here is None or self._arrived(here):
            self._begin_again()
            return
        known = [k for k, name in enumerate(names) if name in self._told]
        for k in known:
            lost, won = self._lost_and_won(here, self._told[names[k]])
            self._promise[moves[k]] = lost / won if won > 0 else np.inf
        order = sorted(known, key=lambda k: self._promise[moves[k]])
        if not order or self._promise[moves[order[0]]] == np.inf:
            self._begin_again()
            return
        # Far above the limits several steps are taken at once, half of the way by what they won.
        left = float(np.maximum(here[1], 0).sum()) / 2
        lower = self._at.copy()
        for k in order:
            if self._promise[moves[k]] == np.inf:
                break
            lower[moves[k][0]] -= 1
            left -= float((here[1] - self._told[names[k]][1]).sum())
            if left <= 0:
                break
        self._at = self._space.canonical(lower)[0]

    def _lost_and_won(
        self, here: tuple[Floats, Floats], there: tuple[Floats, Floats]
    ) -> tuple[float, float]:
        """Of the first objective, and of all else in shares of its range."""
        lost = float(there[0][0] - here[0][0])
        assert self._range is not None
        low, high = self._range
        if not len(low):
            return lost, 1.0
        less = np.concatenate([here[0][1:] - there[0][1:], here[1] - there[1]])
        return lost, float((less / np.where(high > low, high - low, 1.0)).sum())

    def _arrived(self, here: tuple[Floats, Floats]) -> bool:
        return len(here[1]) > 0 and bool((here[1] <= 0).all())

    def _begin_again(self) -> None:
        row = self._elite.rows[self._rng.integers(len(self._elite))]
        enlarged = self._rng.random(len(row)) < ENLARGED
        largest = operators.sizes(self._space) - 1
        self._at = self._space.canonical(np.where(enlarged, largest, row))[0]
