"""A controller that learns by reinforcement: which rows earn MnasNet's reward?

Tan et al., "MnasNet: platform-aware neural architecture search for mobile" (CVPR 2019), maximise
accuracy * (latency / target)^w, with an exponent w that differs on both sides of the target, by
proximal policy optimization (Schulman et al., "Proximal policy optimization algorithms", 2017):
REINFORCE with a baseline (Williams, Machine Learning 1992), some steps for each row, clipped where
the policy has moved; on the side that this leaves open also (Ye et al., "Mastering complex control
in MOBA games with deep reinforcement learning", AAAI 2020). What accuracy, latency and target are
for named objectives and limits is said at ``earned``.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.adam import Adam
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.policy import Policy, Weights
from nas.search.searchers.preference import ranks
from nas.search.searchers.stirred import stirred
from nas.search.seen import Seen, keys
from nas.search.surrogate.history import History
from nas.search.task import Task

# MnasNet's w above a target and above a limit; below them it is 0. Its own is -1 where accuracies
# differ by some percent; here qualities differ by as much as they can.
ABOVE_TARGET, ABOVE_LIMIT = -4.0, -30.0
# Chosen on one training of NAS-Bench-Macro and on made-up objectives.
RATE, WANDER, ENTROPY = 0.03, 0.05, 0.02
# Rows that are learnt from, the latest; in a step at most; how often each is.
WINDOW, BATCH, EPOCHS = 50, 64, 10
# PPO's clipping, and that of bad rows which became many times as likely.
CLIP, DUAL_CLIP = 0.2, 10.0


def earned(ranked: Floats, violations: Floats, targets: Floats) -> Floats:
    """The reward of rows that aim at targets, 0 to 1: [...].

    quality * product of (value / target)^w over further objectives and limits, where

    - quality is the share of rows told that are worse in the first objective;
    - every further objective has a target, a share of all rows told: 0.2 aims at the best fifth.
      Ranks have no units and no zero, so value / target is 1 and the share by which the row misses
      it. Targets are drawn anew for each row, and together the answers are the front;
    - a limit is a target as MnasNet has it: value / limit, which is 1 + violation.

    Args:
        ranked: [..., objectives], shares of rows that are better (``preference.ranks``).
        violations: [..., limits], shares by which limits are exceeded, <= 0 where they are kept.
        targets: [..., objectives - 1], 0 to 1.
    """
    missed = 1 + np.maximum(ranked[..., 1:] - targets, 0)
    exceeded = 1 + np.maximum(violations, 0)
    penalty = (missed**ABOVE_TARGET).prod(axis=-1) * (exceeded**ABOVE_LIMIT).prod(axis=-1)
    return np.asarray((1 - ranked[..., 0]) * penalty)


class PolicyGradient:
    """One policy for all targets, which it takes as context."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space, self._rng = task.space, rng
        self._targets = len(task.problem.objectives) - 1
        self._policy = Policy(task.space, 1 + self._targets, rng)
        self._adam = Adam(RATE)
        self._seen = Seen()
        self._told = History(task.space)
        self._aims: dict[bytes, Floats] = {}
        self._contexts = np.empty((0, 1 + self._targets))
        self._before = np.empty(0)

    def ask(self, n: int) -> Population:
        """The smallest and largest network and random ones first, then what the policy draws."""
        if not len(self._told):
            return Population(initial(self._space, n, self._seen, self._rng))
        self._aims.clear()
        make = stirred(self._space, self._draw, self._rng)
        return Population(fresh(self._space, n, make, self._seen, self._rng))

    def _draw(self, n: int) -> Rows:
        contexts = self._aim(n)
        rows = self._policy.sample(contexts, self._rng, WANDER)
        for key, context in zip(keys(rows), contexts, strict=True):
            # A row that is drawn again was asked for with its first target.
            self._aims.setdefault(key, context)
        return rows

    def _aim(self, n: int) -> Floats:
        return np.concatenate([np.ones((n, 1)), self._rng.random((n, self._targets))], axis=1)

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Some epochs of clipped steps over the latest rows."""
        if not len(population):
            return
        self._told.add(population, objectives, violations)
        # Random rows aimed at nothing; they are taken for an aim like any other.
        spare = self._aim(len(population))
        contexts = [
            self._aims.get(key, other)
            for key, other in zip(keys(population.rows), spare, strict=True)
        ]
        self._contexts = np.concatenate([self._contexts, contexts])[-WINDOW - len(population) :]
        scored = self._policy.score(population.rows, self._contexts[-len(population) :])
        self._before = np.concatenate([self._before, scored.log_likelihood])
        recent = min(len(self._told), max(WINDOW, len(population)))
        self._learn(recent)

    def _learn(self, recent: int) -> None:
        rows, contexts, before = (
            self._told.rows[-recent:],
            self._contexts[-recent:],
            self._before[-recent:],
        )
        ranked = ranks(self._told.objectives)[-recent:]
        violations = self._told.violations[-recent:]
        for _ in range(EPOCHS * -(-recent // BATCH)):
            taken = self._rng.permutation(recent)[:BATCH]
            # What each recent row would earn with the target of each that is learnt from.
            all_earned = earned(ranked, violations, contexts[taken, None, 1:])
            gain = all_earned[np.arange(len(taken)), taken] - all_earned.mean(axis=1)
            spread = all_earned.std(axis=1)
            advantages = np.divide(gain, spread, out=np.zeros_like(gain), where=spread > 0)
            gradient = loss_gradient(
                self._policy, rows[taken], contexts[taken], advantages, before[taken]
            )
            self._adam.step(self._policy.weights, gradient)


def loss_gradient(
    policy: Policy, rows: Rows, contexts: Floats, advantages: Floats, before: Floats
) -> Weights:
    """The gradient of PPO's loss with a bonus for entropy, by the policy's weights.

    The loss is the mean of -min(ratio * advantage, clipped ratio * advantage), and at most
    ``DUAL_CLIP`` times a negative advantage; ratio says how many times as likely a row is as it
    was ``before`` (log likelihoods [n]). The bonus makes the log likelihood a cost of its own,
    whose expected gradient is that of the entropy.
    """
    scored = policy.score(rows, contexts)
    ratio = np.exp(np.minimum(scored.log_likelihood - before, 20.0))
    inside = np.where(advantages > 0, ratio < 1 + CLIP, (ratio > 1 - CLIP) & (ratio < DUAL_CLIP))
    gains = np.where(inside, ratio * advantages, 0)
    gains -= ENTROPY * (scored.log_likelihood + 1)
    return policy.gradient(scored, -gains / len(rows))
