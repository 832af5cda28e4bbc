"""Multi-objective GFlowNet: rows are drawn in proportion to what they are worth.

Jain et al., "Multi-objective GFlowNets" (ICML 2023): one policy, conditioned on a preference over
the objectives, learns to draw rows with a chance in proportion to a reward for that preference.
A row is written choice by choice in one order, so that every row has one trajectory and trajectory
balance (Malkin et al., "Trajectory balance: improved credit assignment in GFlowNets", NeurIPS 2022)
asks of each: log flow + log chance = log reward. That holds for rows from anywhere and for every
preference, so that each network told serves all of them; half of those that a step learns from are
among the best tenth (Shen et al., "Towards understanding and improving GFlowNet training", ICML
2023). The reward is exp(``sharpness`` times ``preference.rewards``).
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.adam import Adam
from nas.search.searchers.directions import drawn
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.policy import Policy, Weights
from nas.search.searchers.preference import rewards
from nas.search.searchers.stirred import stirred
from nas.search.seen import Seen
from nas.search.surrogate.history import History
from nas.search.task import Task

# Chosen on one training of NAS-Bench-Macro and on made-up objectives.
SHARPNESS, RATE, WANDER = 24.0, 0.05, 0.05
# Pairs of row and preference in a step, and preferences that they are drawn from.
BATCH, PREFERENCES = 64, 32
# The part of all rows that counts as the best, and the part of a step's rows that comes from it.
BEST, FROM_BEST = 0.1, 0.5
# The flow learns so many times as fast as the policy, which depends on it.
HASTE = 5.0


class GFlowNet:
    """Draws each row for a preference of its own; one step of learning for each row told."""

    def __init__(self, task: Task, rng: np.random.Generator, sharpness: float = SHARPNESS) -> None:
        self._space, self._rng = task.space, rng
        self._objectives = len(task.problem.objectives)
        self._sharpness = sharpness
        self._policy = Policy(task.space, self._objectives, rng)
        self._flow = np.zeros(self._objectives)
        self._adam = Adam(RATE)
        self._seen = Seen()
        self._told = History(task.space)

    def ask(self, n: int) -> Population:
        """The smallest and largest network and random ones first, then what the policy draws."""
        if not len(self._told):
            return Population(initial(self._space, n, self._seen, self._rng))
        make = stirred(self._space, self._draw, self._rng)
        return Population(fresh(self._space, n, make, self._seen, self._rng))

    def _draw(self, n: int) -> Rows:
        return self._policy.sample(self._preferences(n), self._rng, WANDER)

    def _preferences(self, n: int) -> Floats:
        return drawn(n, self._objectives, self._rng)

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """The policy learns from all that it was told so far."""
        self._told.add(population, objectives, violations)
        if not len(population):
            return
        rows, rng, preferences = self._told.rows, self._rng, self._preferences(PREFERENCES)
        worth = rewards(self._told.objectives, self._told.violations, preferences)
        best = np.argsort(-worth, axis=0)[: max(1, round(BEST * len(rows)))]
        learnt = {**self._policy.weights, "flow": self._flow}
        for _ in range(len(population)):
            which = rng.integers(0, len(preferences), BATCH)
            good = best[rng.integers(0, len(best), BATCH), which]
            anywhere = rng.integers(0, len(rows), BATCH)
            taken = np.where(rng.random(BATCH) < FROM_BEST, good, anywhere)
            _, gradient = imbalance(
                self._policy,
                self._flow,
                rows[taken],
                preferences[which],
                self._sharpness * worth[taken, which],
            )
            self._adam.step(learnt, gradient)


def imbalance(
    policy: Policy, flow: Floats, rows: Rows, preferences: Floats, log_rewards: Floats
) -> tuple[float, Weights]:
    """The mean square of what trajectory balance is off by, and its gradient by all weights.

    The log of a preference's flow, the sum of all its rewards, is ``HASTE * preferences @ flow``.
    """
    scored = policy.score(rows, preferences)
    gaps = HASTE * preferences @ flow + scored.log_likelihood - log_rewards
    shares = 2 * gaps / len(gaps)
    gradient = policy.gradient(scored, shares)
    gradient["flow"] = HASTE * shares @ preferences
    return float((gaps**2).mean()), gradient
