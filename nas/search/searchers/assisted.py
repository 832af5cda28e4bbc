"""What all searchers with a model share: a start to learn from, a memory, and a model of it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.seen import Seen, keys, unseen
from nas.search.surrogate import Answers, Believer, History, Start
from nas.search.task import Task
from predictors.threads import one_thread

FIRST = 30


class Policy(Protocol):
    """How rows are chosen, by what was told and what is believed."""

    def __call__(
        self,
        task: Task,
        believer: Believer,
        history: History,
        rng: np.random.Generator,
        n: int,
        seen: Seen,
    ) -> Rows:
        """``n`` distinct rows that are not in ``seen``, or fewer."""
        ...


class Assisted:
    """First networks of all sizes, then what ``policy`` chooses with a model of what was told.

    ``start`` is how many come first. Where a policy has too few, rows are random. What was asked
    and is not among what is told has failed: once there is such a row, the start leaves out rows
    that are unlikely to be evaluated, and beliefs know how likely that is.
    """

    def __init__(
        self, task: Task, rng: np.random.Generator, policy: Policy, start: int = 0
    ) -> None:
        self._task = task
        self._rng = rng
        self._policy = policy
        self._left = start or first(task)
        self._start = Start(task, rng)
        self._seen = Seen()
        self._history = History(task.space)
        self._believer = Believer(task)
        self._learned = 0
        self._answers = Answers(task.space)
        self._failed = 0

    def ask(self, n: int) -> Population:
        """Rows to start with, until there are enough of them, then those of the policy."""
        with one_thread():
            self._learn_failures()
            rows = self._first(n)
            missing = n - len(rows)
            if missing and len(self._history):
                rows = np.concatenate([rows, self._chosen(missing)])
        more = unseen(self._task.space, n - len(rows), self._rng, self._seen)
        rows = np.concatenate([rows, more])
        self._answers.ask(rows)
        return Population(rows)

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Remembered; what follows from it is learned with the next ask."""
        self._history.add(population, objectives, violations)
        self._answers.tell(population.rows)

    def _learn_failures(self) -> None:
        failed, answered = self._answers.failed, len(self._history)
        if len(failed) and len(failed) + answered != self._failed:
            self._believer.learn_failures(self._history, failed, self._rng)
            self._failed = len(failed) + answered

    def _chosen(self, n: int) -> Rows:
        if len(self._history) > self._learned:
            self._believer.learn(self._history, self._rng)
            self._learned = len(self._history)
        rows = self._policy(self._task, self._believer, self._history, self._rng, n, self._seen)
        self._seen.add(rows)
        return rows

    def _first(self, n: int) -> Rows:
        # Without anything told there is nothing to choose by.
        wanted = n if not len(self._history) else min(n, self._left)
        rows = self._start(wanted, self._seen, self._believer.chance)
        self._left = max(self._left - len(rows), 0) if len(rows) == wanted else 0
        return rows


def first(task: Task) -> int:
    """How many networks come first: a fifth of the budget, within 4 and 30."""
    return FIRST if task.evaluations is None else max(4, min(FIRST, task.evaluations // 5))


def unasked(rows: Rows, seen: Seen) -> Rows:
    """Positions of the rows that are not in ``seen``."""
    return np.flatnonzero([key not in seen for key in keys(rows)])
