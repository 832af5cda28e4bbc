"""MANAS: each choice is an agent that plays a bandit of its own, and all share one reward.

Carlucci et al., "MANAS: multi-agent neural architecture search" (2019). An agent draws its option
with a chance that grows exponentially with the credit it gives it. Credit is assigned in one of
two ways:

- ``least-squares`` (their MANAS-LS): a network's reward is taken for a sum over its options, whose
  terms are fitted to all rewards;
- ``importance`` (their adversarial setting): the reward, divided by the chance that the option had,
  as in EXP3 (Auer et al., "The nonstochastic multiarmed bandit problem", SIAM Journal on Computing
  2002).

With more than one objective there is a team of agents for each of some preferences, and a team
learns from what all teams have played.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.directions import lattice
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.operators import sizes
from nas.search.searchers.preference import rewards
from nas.search.searchers.stirred import stirred
from nas.search.seen import Seen
from nas.search.surrogate.history import History
from nas.search.task import Task

Credit = Literal["least-squares", "importance"]

# Chosen on one training of NAS-Bench-Macro and on made-up objectives.
SHARPNESS, RATE, WANDER = 40.0, 0.1, 0.05
# What keeps the credit of an option small that was seldom seen.
RIDGE = 1.0
TEAMS = 8


class Manas:
    """``credit`` of every team's agents for their options: [teams, choices, widest]."""

    def __init__(
        self, task: Task, rng: np.random.Generator, credit: Credit = "least-squares"
    ) -> None:
        self._space, self._rng, self._by = task.space, rng, credit
        self._preferences = lattice(len(task.problem.objectives), TEAMS)
        options = sizes(task.space)
        self._open = np.arange(options.max()) < options[:, None]
        self._credit = np.zeros((len(self._preferences), *self._open.shape))
        self._seen = Seen()
        self._told = History(task.space)

    def ask(self, n: int) -> Population:
        """The smallest and largest network and random ones first, then what the teams play."""
        if not len(self._told):
            return Population(initial(self._space, n, self._seen, self._rng))
        make = stirred(self._space, self._draw, self._rng)
        return Population(fresh(self._space, n, make, self._seen, self._rng))

    def _draw(self, n: int) -> Rows:
        chances = gibbs(self._credit, self._open)
        bounds = chances[self._rng.integers(0, len(chances), n)].cumsum(axis=2)
        draws = self._rng.random((n, len(self._open), 1)) * bounds[..., -1:]
        return self._space.canonical((draws > bounds[..., :-1]).sum(axis=2))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Credit for the options of all that was told, or of what is new."""
        if not len(population):
            return
        self._told.add(population, objectives, violations)
        worth = rewards(self._told.objectives, self._told.violations, self._preferences)
        if self._by == "least-squares":
            played = indicators(self._told.rows, self._space.used(self._told.rows), self._open)
            self._credit = SHARPNESS * fitted(played, worth)
        else:
            chances = gibbs(self._credit, self._open).mean(axis=0)
            played = indicators(population.rows, self._space.used(population.rows), self._open)
            gain = weighted_by_importance(played, worth[-len(population) :], chances)
            self._credit = self._credit + RATE * gain


def gibbs(credit: Floats, options: npt.NDArray[np.bool_]) -> Floats:
    """Chances [teams, choices, widest] by credit, mixed with uniform ones, 0 for no option."""
    open_only = np.where(options, credit, -np.inf)
    chances = np.exp(open_only - open_only.max(axis=2, keepdims=True))
    chances /= chances.sum(axis=2, keepdims=True)
    uniform = options / options.sum(axis=1, keepdims=True)
    return np.asarray((1 - WANDER) * chances + WANDER * uniform)


def indicators(rows: Rows, used: npt.NDArray[np.bool_], options: npt.NDArray[np.bool_]) -> Floats:
    """1 where a row takes an option of a choice that it reads: [n, choices, widest]."""
    played = rows[:, :, None] == np.arange(options.shape[1])
    return np.asarray(played & used[:, :, None], dtype=np.float64)


def fitted(played: Floats, worth: Floats) -> Floats:
    """Ridge regression of rewards [n, teams] on ``indicators``: [teams, choices, widest]."""
    n, choices, widest = played.shape
    flat = played.reshape(n, -1)
    gram = flat.T @ flat + RIDGE * np.eye(flat.shape[1])
    terms = np.linalg.solve(gram, flat.T @ (worth - worth.mean(axis=0)))
    return np.asarray(terms.T.reshape(-1, choices, widest))


def weighted_by_importance(played: Floats, worth: Floats, chances: Floats) -> Floats:
    """The sum of each option's rewards [n, teams] over the chance that it was played with.

    Rewards count from their middle, 0.5, which makes the sums vary less. ``chances`` are of all
    teams together, [choices, widest]: [teams, choices, widest].
    """
    sums = np.einsum("nt,nco->tco", worth - 0.5, played)
    return np.asarray(np.divide(sums, chances, out=np.zeros_like(sums), where=chances > 0))
