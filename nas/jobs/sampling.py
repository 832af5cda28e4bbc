"""Which subnets are measured to fit a predictor: random, spread over cost, or by expected gain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import predictors
from nas.config import SamplingName
from search_spaces import Space
from search_spaces.errors import NasLoopError
from search_spaces.space import Population

__all__ = ["at_random", "foreseen", "in_rounds", "stratified"]

Floats = npt.NDArray[np.float64]
Measure = Callable[[Population], Floats]
"""Canonical rows [n, choices] to accuracies [n]."""

# Of active samples so many shares are stratified, since a gain has to be expected by something;
# the others come in so many rounds, by this predictor, which is quick to fit and unsure far away.
FIRST = 0.5
ROUNDS = 5
JUDGE = "gp"
# Candidates of a round.
POOL = 500
# Random rows that are drawn at a time: always as many, so that more begin with the same ones.
DRAWN = 256
# Of each of three kinds, to take stratified rows from; always as many, for the same reason.
CANDIDATES = 2048
# As near as this share of the range of log MACs is near.
NEAR = 0.02


def foreseen(space: Space, sampling: SamplingName, n: int, seed: int) -> Population:
    """The ``n`` rows that will be measured; of active ones the first, and others of like costs.

    Raises:
        NasLoopError: the space has fewer than ``n`` networks.
    """
    draw = at_random if sampling == "random" else stratified
    return draw(space, n, np.random.default_rng(seed))


def in_rounds(
    space: Space,
    sampling: SamplingName,
    n: int,
    seed: int,
    measure: Measure,
    most: int | None = None,
) -> tuple[Population, Floats]:
    """Choose and ``measure``: distinct canonical rows [n, choices] and their accuracies [n].

    What is chosen follows from the seed and from the accuracies of what was chosen before: who
    keeps accuracies can be interrupted anywhere, and chooses the same rows the next time. With
    ``most`` only so many are measured, the first ones.

    Raises:
        NasLoopError: the space has fewer than ``n`` networks.
    """
    most = min(n, n if most is None else most)
    X = foreseen(space, sampling, n, seed)
    if sampling != "active":
        return X[:most], measure(X[:most])
    X = X[: max(2, round(FIRST * n))][:most]
    accuracy = measure(X)
    rng = np.random.default_rng([seed, 1])
    step = -(-(n - max(2, round(FIRST * n))) // ROUNDS)
    while len(X) < most:
        more = most_promising(space, X, accuracy, min(step, n - len(X)), rng)[: most - len(X)]
        accuracy = np.concatenate([accuracy, measure(more)])
        X = np.concatenate([X, more])
    return X, accuracy


def most_promising(
    space: Space, X: Population, accuracy: Floats, n: int, rng: np.random.Generator
) -> Population:
    """``n`` rows, or all that are left, with the largest expected gain: [n, choices].

    A gain is by how much a network is better than all that were measured and cost no more (MACs);
    its expectation is that of Jones et al., "Efficient Global Optimization of Expensive Black-Box
    Functions" (Journal of Global Optimization 1998), equation 15. A row that is taken counts as if
    it had been measured as predicted: the Kriging believer of Ginsbourger et al., "Kriging Is
    Well-Suited to Parallelize Optimization" (2010).
    """
    from scipy.stats import norm

    judge = predictors.get(JUDGE, space, seed=int(rng.integers(1 << 31))).fit(X, accuracy)
    pool = _others(space, X, min(space.size, len(X) + max(POOL, 2 * n)), rng)
    n = min(n, len(pool))  # Of a small space not all may have been drawn.
    mean, std = judge.predict(pool, return_std=True)
    costs, best_of = space.macs(pool), np.concatenate([space.macs(X), np.zeros(n)])
    known = np.concatenate([accuracy, np.full(n, -np.inf)])
    taken: list[int] = []
    for k in range(len(X), len(X) + n):
        best = np.where(best_of <= costs[:, None], known, -np.inf).max(1, initial=-np.inf)
        # Where nothing is as cheap, the worst is what there is to be better than.
        above = mean - np.where(np.isfinite(best), best, accuracy.min())
        away = above / np.maximum(std, 1e-12)
        gain = above * norm.cdf(away) + std * norm.pdf(away)
        gain[taken] = -np.inf
        taken.append(int(gain.argmax()))
        best_of[k], known[k] = costs[taken[-1]], mean[taken[-1]]
    return pool[taken]


def _others(space: Space, X: Population, n: int, rng: np.random.Generator) -> Population:
    """Stratified rows that are not among ``X``."""
    known = set(map(tuple, X.tolist()))
    pool = stratified(space, n, rng)
    return pool[[tuple(row) not in known for row in pool.tolist()]]


def at_random(space: Space, n: int, rng: np.random.Generator) -> Population:
    """``n`` distinct canonical rows [n, choices], uniform over networks; of fewer the first.

    Raises:
        NasLoopError: the space has fewer than ``n`` networks.
    """
    _require(space, n)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < n:
        found.update(dict.fromkeys(map(tuple, space.sample(DRAWN, rng, "networks").tolist())))
    return np.array(list(found)[:n], dtype=np.int64)


def stratified(space: Space, n: int, rng: np.random.Generator) -> Population:
    """``n`` distinct canonical rows [n, choices]: both ends, and the rest spread over cost.

    Of fewer the first. Uniformly drawn networks crowd in the middle; candidates are drawn uniform
    over networks and over choices, and leaning to either end. Taken is, for every point of a
    sequence that fills the range of log MACs evenly however far it goes (van der Corput's, 1935,
    begun anywhere), a candidate that is near.

    Raises:
        NasLoopError: the space has fewer than ``n`` networks.
    """
    _require(space, n)
    ends = np.stack([space.smallest, space.largest])
    taken = dict.fromkeys(map(tuple, ends.tolist()))
    low, high = np.log(space.macs(ends))
    shift = rng.random()
    while len(taken) < n:
        drawn = (space.sample(CANDIDATES, rng), space.sample(CANDIDATES, rng, "networks"))
        pool = np.unique(np.concatenate([*drawn, _leaning(space, CANDIDATES, rng)]), axis=0)
        pool = rng.permutation(pool[[tuple(row) not in taken for row in pool.tolist()]])
        costs = np.log(space.macs(pool))
        # Half of a pool is left when the next is drawn, so that something near is there.
        for _ in range(min(n - len(taken), -(-len(pool) // 2))):
            wanted = (_van_der_corput(len(taken) - len(ends)) + shift) % 1
            away = np.abs(costs - low - (high - low) * wanted)
            # The first of a pool in random order: any, while the nearest would often be the same.
            one = int((away <= max(away.min(), NEAR * (high - low))).argmax())
            costs[one] = np.inf
            taken[tuple(pool[one].tolist())] = None
    return np.array(list(taken)[:n], dtype=np.int64)


def _van_der_corput(k: int) -> float:
    """The bits of ``k`` + 1 mirrored at the binary point, 0 to 1."""
    bits = f"{k + 1:b}"
    return int(bits[::-1], 2) / (1 << len(bits))


def _leaning(space: Space, n: int, rng: np.random.Generator) -> Population:
    """``n`` rows whose choices lean to one end by a strength of their own, to fill the ends."""
    sizes = np.array([len(choice.values) for choice in space.choices])
    lean = rng.random((n, 1)) ** np.where(rng.random((n, 1)) < 0.5, 3.0, 1 / 3.0)
    rows = (rng.random((n, len(sizes))) < lean) * (sizes - 1)
    mix = rng.random(rows.shape) < 0.3
    return space.canonical(np.where(mix, rng.integers(0, sizes, rows.shape), rows))


def _require(space: Space, n: int) -> None:
    if space.size < n:
        raise NasLoopError(f"{space.name} has {space.size} networks, fewer than {n} samples")
