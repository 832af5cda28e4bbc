"""Searchers that ask for cheap trials of many networks, and for whole ones of the best.

Both take their candidates from NSGA-II instead of chance, as DEHB takes them from differential
evolution (Awad et al., "DEHB: evolutionary Hyperband for scalable, robust and efficient
hyperparameter optimization", IJCAI 2021): one population for each fidelity at which candidates
start, so that only values of one fidelity are compared. Where nothing is graded there is nothing to
save, and every evaluation is NSGA-II's.

What is tried is worth its time: networks that break a limit on a free function are not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nas.search.searcher import Floats, Population, Rows, Searcher
from nas.search.searchers.nsga2 import nsga2
from nas.search.searchers.rungs import ETA, Bracket, Rung, Trials, halving, hyperband
from nas.search.searchers.within import Within
from nas.search.seen import Seen, keys
from nas.search.task import Task

# Levels below the whole evaluation, at most: the cheapest trial is a 27th of it.
DEPTH = 3
# Survivors of the populations that candidates come from.
SURVIVORS = 30


# Which brackets come one after the other: rungs, and whether candidates of the bracket before it
# that began at the same level stay in.
Plan = Iterator[tuple[tuple[Rung, ...], bool]]


def depth(least: float) -> int:
    """How many levels there are below the whole evaluation, none of them below ``least`` of it."""
    return sum(float(ETA) ** -level >= (1 - 1e-9) * least for level in range(1, DEPTH + 1))


class Fidelities:
    """Runs the brackets of a plan; as many at once as it takes to fill what is asked for.

    Candidates at a level begin with ``first``, canonical rows [n, choices] that somebody thinks
    well of, the best first. Of them, too, those that break a free limit are left out.
    """

    def __init__(
        self, task: Task, rng: np.random.Generator, plan: Plan, first: Rows | None = None
    ) -> None:
        self._task = task
        limited = any(name in task.free for name in task.problem.limits)
        self._within = Within(task, rng) if limited else None
        self._first = self._none() if first is None else Seen().take(first, len(first))
        if self._within is not None:
            self._first = self._first[self._within.keeps(self._first)]
        self._rng = rng
        self._plain = None if task.graded else nsga2(task, rng)
        self._plan, self._upcoming = plan, next(plan)
        self._depth = depth(task.least)
        self._trials = Trials()
        self._brackets: list[Bracket] = []
        self._begun = [self._none()]
        self._proposers: dict[int, Searcher] = {}
        self._waiting: dict[int, Rows] = {}
        self._pools: dict[int, Rows] = {}
        self._started: set[tuple[bytes, int]] = set()

    def ask(self, n: int) -> Population:
        """Trials that are due; a row comes again, at a higher fidelity, where it was promoted."""
        if self._plain is not None:
            return self._plain.ask(n)
        self._trials.close()
        due: list[tuple[Rows, int]] = []
        for bracket in self._brackets:
            due += bracket.due(self._trials, n - len(due))
        idle = 0
        # Every level has candidates of its own, and the space may have no more for one of them.
        while len(due) < n and idle <= self._depth:
            bracket = self._next()
            idle = idle + 1 if bracket.finished else 0
            self._brackets.append(bracket)
            due += bracket.due(self._trials, n - len(due))
        self._brackets = [bracket for bracket in self._brackets if not bracket.finished]
        rows = np.array([row for row, _ in due], dtype=np.int64)
        levels = np.array([level for _, level in due], dtype=np.float64)
        return Population(rows.reshape(-1, len(self._task.space.choices)), ETA**levels)

    def _next(self) -> Bracket:
        rungs, deepening = self._upcoming
        self._upcoming = next(self._plan)
        first = rungs[0]
        pool = self._pools.get(first.level, self._none()) if deepening else self._none()
        pool = np.concatenate([pool, self._candidates(first.size - len(pool), first.level)])
        self._pools[first.level] = pool
        self._begun.append(pool[: first.size])
        return Bracket(rungs, pool[: first.size])

    def _candidates(self, n: int, level: int) -> Rows:
        """Rows that did not start at this level before."""
        n = max(n, 0)
        if level not in self._proposers:
            seen = Seen()
            seen.add(self._first)
            rng = self._rng.spawn(1)[0]
            self._proposers[level] = nsga2(self._task, rng, SURVIVORS, seen, self._within)
            self._waiting[level] = self._first
        first, self._waiting[level] = self._waiting[level][:n], self._waiting[level][n:]
        rows = np.concatenate([first, self._proposers[level].ask(n - len(first)).rows])
        self._started.update((key, level) for key in keys(rows))
        return rows

    def _none(self) -> Rows:
        return np.empty((0, len(self._task.space.choices)), dtype=np.int64)

    def begun(self) -> Rows:
        """All candidates so far: [n, choices]. One may be among them more than once."""
        return np.concatenate(self._begun)

    def open(self) -> Rows:
        """Those of them [n, choices] that could yet go on, had the search not ended.

        All that was asked for is told by now, or failed.
        """
        self._trials.close()
        for bracket in self._brackets:
            bracket.settle(self._trials)
        rows = [bracket.rows for bracket in self._brackets if not bracket.finished]
        if self._upcoming[1]:
            rows += self._pools.values()
        return np.concatenate([self._none(), *rows])

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Rungs whose trials are all told, or failed, end with the next ask."""
        if self._plain is not None:
            self._plain.tell(population, objectives, violations)
            return
        fidelity = population.fidelity
        if fidelity is None:
            fidelity = np.ones(len(population))
        levels = np.rint(np.log(fidelity) / np.log(ETA)).astype(np.int64)
        names = keys(population.rows)
        for i, key in enumerate(names):
            self._trials.tell(key, int(levels[i]), objectives[i], violations[i])
        for level, proposer in self._proposers.items():
            mine = [
                i
                for i, key in enumerate(names)
                if levels[i] == level and (key, level) in self._started
            ]
            self._started.difference_update((names[i], level) for i in mine)
            proposer.tell(Population(population.rows[mine]), objectives[mine], violations[mine])


def halvings(task: Task, rng: np.random.Generator, first: Rows | None = None) -> Fidelities:
    """Successive halving, again and again: 27 candidates at a 27th, 9 at a ninth, 3, and 1 whole.

    Fewer where a 27th is no cheaper; ``first`` as in ``Fidelities``. Jamieson and Talwalkar,
    "Non-stochastic best arm identification and hyperparameter optimization" (AISTATS 2016).
    """
    deepest = depth(task.least)
    rungs = halving(ETA**deepest, -deepest, deepest + 1)

    def plan() -> Plan:
        while True:
            yield rungs, False

    return Fidelities(task, rng, plan(), first)


def deepening(task: Task, rng: np.random.Generator, first: Rows | None = None) -> Fidelities:
    """Hyperband whose highest fidelity rises round by round, until evaluations are whole ones.

    Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization" (JMLR
    2018); Brandt et al., "Iterative deepening Hyperband" (2023): a round with a higher fidelity
    than the one before takes over its brackets, adds the candidates that they lack and promotes
    among all; what was evaluated is not evaluated again. Once evaluations are whole every further
    round has new candidates. ``first`` as in ``Fidelities``.
    """
    deepest = depth(task.least)

    def plan() -> Plan:
        for levels in range(deepest + 1):
            for rungs in hyperband(levels - deepest, levels):
                yield rungs, True
        while True:
            for rungs in hyperband(0, deepest):
                yield rungs, False

    return Fidelities(task, rng, plan(), first)
