"""What is known of a search that goes on: its speed, its front, its hypervolume."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from nas.search.growth import Growth
from nas.search.searcher import Floats
from nas.search.study import Study

__all__ = ["Looked", "Progress"]

WINDOW_S = 10.0
"""Speed is that of the last so many seconds: what an earlier call had done comes back at once."""
KEPT = 200
"""How many moments of the hypervolume are told."""


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
        self._growth = Growth()
        self._seen = 0

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
        history = self._growth.history
        return Looked(
            evaluations,
            budget,
            seconds,
            speed,
            until_s,
            study.problem.objectives,
            tuple(study.problem.limits.items()),
            self._growth.front,
            tuple(volume for _, volume in history[-KEPT:] if volume),
            _grew(history),
            self._growth.feasible,
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
        self._growth.add(problem.objective_values(kept), evaluations)


def _grew(history: list[tuple[float, float]]) -> int:
    """After how many evaluations the hypervolume was as large as it is for the first time."""
    most = history[-1][1]
    return int(next((at for at, volume in history if volume and volume >= most), 0))
