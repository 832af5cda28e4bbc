"""What is known of a search that goes on: its speed, its front, its hypervolume."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from nas.search.growth import Growing
from nas.search.pareto import hypervolume
from nas.search.searcher import Floats
from nas.search.study import Study

__all__ = ["Looked", "Progress"]

WINDOW_S = 10.0
"""Speed is that of the last so many seconds: what an earlier call had done comes back at once."""
KEPT = 200
STEADY = 20
"""Feasible networks that the hypervolume's reference point is taken from, if not more at once."""


@dataclass(frozen=True, eq=False)
class Looked:
    """A search at one moment.

    ``budget`` is how many evaluations end the search, ``until_s`` how many seconds, None where
    they do not; ``speed`` in evaluations a second, None before it is known; ``names`` of the
    objectives, ``front`` their values [n, objectives]; ``volumes`` the hypervolume at this and at
    earlier moments; ``grew`` after how many evaluations it was last seen to grow; ``feasible`` how
    many networks keep the limits.
    """

    evaluations: int
    budget: int | None
    seconds: float
    speed: float | None
    until_s: float | None = None
    names: tuple[str, ...] = ()
    limits: tuple[tuple[str, float], ...] = ()
    front: Floats | None = None
    volumes: tuple[float, ...] = ()
    grew: int = 0
    feasible: int = 0

    @property
    def left_s(self) -> float | None:
        """Seconds until the first of both is spent, at this speed."""
        ends = []
        if self.budget is not None and self.speed:
            ends.append((self.budget - self.evaluations) / self.speed)
        if self.until_s is not None:
            ends.append(self.until_s - self.seconds)
        return max(0.0, min(ends)) if ends else None

    @property
    def done(self) -> float | None:
        """What share of the search is behind, from 0 to 1."""
        shares = []
        if self.budget is not None:
            shares.append(self.evaluations / self.budget)
        if self.until_s is not None:
            shares.append(self.seconds / self.until_s)
        return min(1.0, max(shares)) if shares else None


class Progress:
    """Follows one search from look to look."""

    def __init__(self) -> None:
        self._times: deque[tuple[float, int]] = deque()
        self._growing: Growing | None = None
        self._reference: Floats = np.empty(0)
        self._volumes: deque[float] = deque(maxlen=KEPT)
        self._seen = self._feasible = self._grew = 0

    def begin(self, evaluations: int, seconds: float) -> None:
        """What was done before this counts for no speed; said again it changes nothing."""
        if not self._times:
            self._times.append((seconds, evaluations))

    def look(
        self,
        study: Study,
        evaluations: int,
        budget: int | None,
        seconds: float,
        until_s: float | None = None,
    ) -> Looked:
        """The search after ``evaluations``, which took ``seconds``; ``study`` is looked at from
        where the last look ended."""
        speed = self._speed(evaluations, seconds)
        self._follow(study, evaluations)
        front = self._growing.points if self._growing is not None else None
        return Looked(
            evaluations,
            budget,
            seconds,
            speed,
            until_s,
            study.problem.objectives,
            tuple(study.problem.limits.items()),
            front,
            tuple(self._volumes),
            self._grew,
            self._feasible,
        )

    def _speed(self, evaluations: int, seconds: float) -> float | None:
        self._times.append((seconds, evaluations))
        while len(self._times) > 2 and self._times[1][0] <= seconds - WINDOW_S:
            self._times.popleft()
        began, before = self._times[0]
        took = seconds - began
        return (evaluations - before) / took if took > 0 else None

    def _follow(self, study: Study, evaluations: int) -> None:
        values, problem = study.values(slice(self._seen, None)), study.problem
        self._seen += len(values)
        kept = values[study.feasible[-len(values) :]] if len(values) else values
        if not len(kept) and self._growing is None:
            return
        objectives = problem.objective_values(kept)
        if self._growing is None:
            self._growing = Growing(objectives.shape[1])
            self._reference = np.full(objectives.shape[1], -np.inf)
        if self._feasible < STEADY and len(kept):
            # The worst of some, which then stays where it is, for volumes to be comparable.
            self._reference = np.maximum(self._reference, objectives.max(axis=0))
            self._volumes.clear()
        self._feasible += len(kept)
        self._growing.add(objectives)
        volume = hypervolume(self._growing.points, self._reference)
        if not self._volumes or volume > self._volumes[-1]:
            self._grew = evaluations
        self._volumes.append(volume)
