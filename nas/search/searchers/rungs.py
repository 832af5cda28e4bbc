"""Brackets of successive halving: who is tried at which fidelity, and who goes on.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization"
(AISTATS 2016): many candidates are tried cheaply, the best share of them at a higher fidelity, and
so on. How many brackets of which sizes is Hyperband's to say (Li et al., "Hyperband: a novel
bandit-based approach to hyperparameter optimization", JMLR 2018, algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nas.search.searcher import Floats, Rows
from nas.search.searchers.ranking import best_first
from nas.search.seen import keys

ETA = 3
"""One of so many goes on to the next rung, at so many times the fidelity."""


@dataclass(frozen=True)
class Rung:
    """``size`` candidates at a ``level``: 0 is the whole evaluation, -1 an ETA-th of it."""

    size: int
    level: int

    @property
    def fidelity(self) -> float:
        """The share of the whole evaluation."""
        return float(ETA) ** self.level


def halving(candidates: int, level: int, rungs: int) -> tuple[Rung, ...]:
    """The rungs of a bracket that starts with ``candidates`` at ``level``."""
    return tuple(Rung(candidates // ETA**i, level + i) for i in range(rungs))


def hyperband(top: int, deepest: int) -> tuple[tuple[Rung, ...], ...]:
    """The brackets of one round, whose last rungs are at the level ``top``.

    ``deepest`` is how many levels lie between the first rung of the first bracket and ``top``.
    """
    return tuple(
        halving(math.ceil((deepest + 1) * ETA**s / (s + 1)), top - s, s + 1)
        for s in range(deepest, -1, -1)
    )


class Trials:
    """What was asked and told of candidates at levels."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], tuple[Floats, Floats]] = {}
        self._asked: set[tuple[bytes, int]] = set()
        self._waiting: set[tuple[bytes, int]] = set()

    def ask(self, key: bytes, level: int) -> bool:
        """Whether this is to be asked for now, which it is once."""
        if (key, level) in self._asked:
            return False
        self._asked.add((key, level))
        self._waiting.add((key, level))
        return True

    def tell(self, key: bytes, level: int, objectives: Floats, violations: Floats) -> None:
        """Objectives [k] and violations [c] of a candidate at a level."""
        self._known[key, level] = objectives, violations
        self._waiting.discard((key, level))

    def close(self) -> None:
        """What was asked and not told by now failed."""
        self._waiting.clear()

    def settled(self, found: Sequence[bytes], level: int) -> bool:
        """Whether all of these are told, or failed."""
        return all((k, level) in self._asked and (k, level) not in self._waiting for k in found)

    def best(self, found: Sequence[bytes], level: int, n: int) -> list[int]:
        """Positions of the ``n`` best among those that were told at a level."""
        told = [i for i, key in enumerate(found) if (key, level) in self._known]
        if not told:
            return []
        pairs = [self._known[found[i], level] for i in told]
        violations = np.stack([v for _, v in pairs])
        order = best_first(np.stack([o for o, _ in pairs]), np.maximum(violations, 0).sum(axis=1))
        return [told[i] for i in order[:n]]


@dataclass(eq=False)
class Bracket:
    """Candidates on their way through ``rungs``."""

    rungs: tuple[Rung, ...]
    rows: Rows
    at: int = 0
    keys: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = keys(self.rows)

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to ask for."""
        return self.at >= len(self.rungs) or not len(self.rows)

    def settle(self, trials: Trials) -> None:
        """Promote as far as all is told that promotions stand on."""
        while not self.finished and trials.settled(self.keys, self.rungs[self.at].level):
            self._promote(trials)

    def due(self, trials: Trials, n: int) -> list[tuple[Rows, int]]:
        """At most ``n`` candidates with their levels that are to be asked for now."""
        found: list[tuple[Rows, int]] = []
        self.settle(trials)
        while not self.finished and len(found) < n:
            at, level = self.at, self.rungs[self.at].level
            for row, key in zip(self.rows, self.keys, strict=True):
                if len(found) < n and trials.ask(key, level):
                    found.append((row, level))
            self.settle(trials)
            if self.at == at:
                break
        return found

    def _promote(self, trials: Trials) -> None:
        level = self.rungs[self.at].level
        self.at += 1
        size = self.rungs[self.at].size if self.at < len(self.rungs) else 0
        best = trials.best(self.keys, level, size)
        self.rows, self.keys = self.rows[best], [self.keys[i] for i in best]
