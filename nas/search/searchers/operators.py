"""Selection, crossover and mutation of whole populations at once.

All are pure functions of matrices [n, choices] and a generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Rows
from search_spaces.space import Space

Positions = npt.NDArray[np.int64]


def tournament(
    n: int,
    objectives: Floats,
    violation: Floats,
    crowding: Floats,
    rng: np.random.Generator,
) -> Positions:
    """``n`` winners of binary tournaments, as NSGA-II holds them: positions [n].

    The one that violates less wins; of two feasible ones the one that dominates, else the one in
    the emptier place (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II",
    IEEE Transactions on Evolutionary Computation 2002, sections III-C and VI-A); else chance.
    """
    a, b = pairs(len(objectives), n, rng)
    # The ends of a front are infinitely empty, and infinite less infinite is no number.
    emptiness: Floats = np.where(np.isfinite(crowding), crowding, 1e300)
    return winners(
        (a, b),
        (
            violation[b] - violation[a],
            dominance(objectives[a], objectives[b]),
            emptiness[a] - emptiness[b],
        ),
        rng,
    )


def pairs(members: int, n: int, rng: np.random.Generator) -> tuple[Positions, Positions]:
    """Who meets whom in ``n`` tournaments: positions [n] twice. All take part about equally."""
    rounds = -(-2 * n // members)
    draws = rng.permuted(np.tile(np.arange(members), (rounds, 1)), axis=1)
    a, b = draws.ravel()[: 2 * n].reshape(2, n)
    return a, b


def winners(
    pair: tuple[Positions, Positions], criteria: Sequence[Floats], rng: np.random.Generator
) -> Positions:
    """Who wins each tournament: positions [n].

    Each of the ``criteria`` [n] is positive where the first of the pair is better, and is asked
    where those before it are 0; chance decides what remains.
    """
    better: Floats = np.zeros(len(pair[0]))
    for criterion in (*criteria, rng.random(len(better)) - 0.5):
        np.copyto(better, criterion, where=better == 0)
    return np.where(better > 0, *pair)


def dominance(a: Floats, b: Floats) -> Floats:
    """1 where points ``a`` [n, objectives] dominate ``b``, -1 where it is the other way: [n]."""
    return _dominates(a, b) - _dominates(b, a)


def _dominates(a: Floats, b: Floats) -> Floats:
    return np.asarray((a <= b).all(axis=1) & (a < b).any(axis=1), dtype=np.float64)


def fill_unread(
    space: Space,
    rows: Rows,
    rng: np.random.Generator,
    used: npt.NDArray[np.bool_] | None = None,
) -> Rows:
    """The same networks, with random options where a choice is not read.

    Canonical rows hold 0 there, and what reads such a choice later (a child that is deeper than
    its parent) would always get the first option. ``used`` is what the space says of the rows, for
    those who asked it already.
    """
    used = space.used(rows) if used is None else used
    return np.where(used, rows, rng.integers(0, sizes(space), rows.shape))


def crossover(a: Rows, b: Rows, rng: np.random.Generator, chance: float = 0.9) -> Rows:
    """Two children of each pair of parents [n, choices]: [2 n, choices].

    Uniform or two-point by the toss of a coin; copies of the parents with ``1 - chance``.
    """
    n, width = a.shape
    uniform = rng.random((n, width)) < 0.5
    low, high = np.sort(rng.integers(0, width + 1, (2, n, 1)), axis=0)
    points = (np.arange(width) >= low) & (np.arange(width) < high)
    swap = np.where(rng.random((n, 1)) < 0.5, uniform, points) & (rng.random((n, 1)) < chance)
    return np.concatenate([np.where(swap, b, a), np.where(swap, a, b)])


def mutate(space: Space, rows: Rows, rng: np.random.Generator, chance: float | None = None) -> Rows:
    """Each choice of each row takes another of its options with a ``chance``, if not given of one
    over choices."""
    options = sizes(space)
    other = (rows + rng.integers(1, np.maximum(options, 2), rows.shape)) % options
    return np.where(rng.random(rows.shape) < (chance or 1 / rows.shape[1]), other, rows)


def mutate_one(space: Space, rows: Rows, rng: np.random.Generator) -> Rows:
    """One choice that each row reads takes another of its options: [n, choices].

    As Real et al. mutate ("Regularized evolution for image classifier architecture search", AAAI
    2019). Choices that are not read stay as they are: changing one would change nothing.
    """
    options = sizes(space)
    open_ = space.used(rows) & (options > 1)
    chances = np.where(open_, rng.random(rows.shape), -1.0)
    where = chances.argmax(axis=1)
    changed = rows.copy()
    each = np.arange(len(rows))
    step = rng.integers(1, np.maximum(options[where], 2))
    changed[each, where] = (rows[each, where] + step) % options[where]
    return changed


def sizes(space: Space) -> npt.NDArray[np.int64]:
    """How many options each choice has: [choices]."""
    return np.array([len(choice.values) for choice in space.choices], dtype=np.int64)


def changes(space: Space, row: npt.NDArray[np.int64]) -> tuple[Positions, Rows]:
    """Every other option of every choice that the network of ``row`` [choices] reads.

    Pairs (choice, option) [pairs, 2], and the canonical rows [pairs, choices] with that option.
    What only an option asks for (the layers of a larger depth) takes its first option. An option
    that makes the same network is left out.
    """
    used, options = space.used(row[None])[0], sizes(space)
    places = [(c, o) for c in np.flatnonzero(used) for o in range(options[c]) if o != row[c]]
    pairs = np.array(places, dtype=np.int64).reshape(-1, 2)
    rows = np.repeat(row[None], len(pairs), axis=0)
    rows[np.arange(len(rows)), pairs[:, 0]] = pairs[:, 1]
    rows = space.canonical(rows)
    others = (rows != row).any(axis=1)
    return pairs[others], rows[others]


def neighbours(space: Space, row: npt.NDArray[np.int64]) -> Rows:
    """``row`` [choices] and the networks that differ from it in one choice: [n, choices]."""
    return np.unique(np.concatenate([row[None], changes(space, row)[1]]), axis=0)
