"""Small changes of one network, and which of them promise most when several are made at once.

A move takes another option of one choice. What a network is worth is no sum over choices, but near
one network it is close to one: what moves change by themselves says which two, three or four of
them, made at once, are worth a look (as Lin and Kernighan deepen exchanges, "An effective heuristic
algorithm for the traveling-salesman problem", Operations Research 1973).
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Rows
from nas.search.searchers import operators
from nas.search.searchers.operators import Positions
from search_spaces.space import Space

# How many versions there are of a move after which choices are read that were not before.
VERSIONS = 16
# Of how many moves, the most promising ones, all sets of 1, 2, 3 and 4 are looked at.
OF = (64, 64, 32, 20)
# What a limit is worth where no sum of moves keeps it, in units of the largest gain.
UNPAYABLE = 1e9

Row = npt.NDArray[np.int64]


def moves(space: Space, row: Row, rng: np.random.Generator) -> Rows:
    """The networks one move from ``row`` [choices]: canonical [moves, choices], all distinct.

    Where a move has choices read that ``row`` does not read (a stage that grows deeper), there are
    versions of it with random options for those.
    """
    options = operators.sizes(space)
    _, rows = operators.changes(space, row)
    more = space.used(rows) & ~space.used(row[None]) & (options > 1)
    grown = np.repeat(np.flatnonzero(more.any(axis=1)), VERSIONS - 1)
    filled = np.where(more[grown], rng.integers(0, options, (len(grown), len(row))), rows[grown])
    found = np.unique(np.concatenate([rows, space.canonical(filled)]), axis=0)
    return found[(found != row).any(axis=1)]


def combined(
    space: Space, row: Row, around: Rows, gains: Floats, wins: Floats, needs: Floats, most: int
) -> Rows:
    """Up to ``most`` networks with one to four moves of ``row`` [choices] made at once.

    Args:
        space: of all rows.
        row: the network that is changed.
        around: networks one move from it, [moves, choices].
        gains: by how much each makes better what is minimised, [moves].
        wins: by how much each lowers what is limited, [moves, limits].
        needs: by how much that has to be lowered at least, [limits]; negative where there is room.
        most: how many rows come back at most.

    Returns:
        Those that by the sums of gains and wins keep the limits, the largest gain first: canonical
        [n, choices].
    """
    changed = around != row
    prices = _prices(gains, wins, needs, changed.argmax(axis=1))
    promising = np.argsort(-(gains + wins @ prices), kind="stable")
    sets = [promising[chosen] for chosen in _sets(min(len(around), max(OF)))]
    width = changed.astype(np.float64)
    clash = width @ width.T > 0
    found = [_best(chosen, clash, gains, wins, needs, most) for chosen in sets if len(chosen)]
    gained = np.concatenate([gains[chosen].sum(axis=1) for chosen in found])
    made = np.concatenate([_made(row, around, changed, chosen) for chosen in found])
    return space.canonical(made[np.argsort(-gained, kind="stable")[:most]])


def _prices(gains: Floats, wins: Floats, needs: Floats, choices: Positions) -> Floats:
    """What a unit of each limit is worth in units of gain: the duals [limits] of the linear
    programme that makes at most one move of each choice, and parts of moves."""
    from scipy.optimize import linprog

    _, group = np.unique(choices, return_inverse=True)
    once = np.zeros((int(group.max()) + 1, len(gains)))
    once[group, np.arange(len(gains))] = 1
    # Solvers have tolerances, so they are asked in numbers around 1, whatever the unit.
    unit = float(np.abs(gains).max()) or 1.0
    solved = linprog(
        -gains / unit,
        A_ub=np.concatenate([-wins.T, once]),
        b_ub=np.concatenate([-needs, np.ones(len(once))]),
        bounds=(0, 1),
        method="highs",
    )
    if solved.status != 0:
        # No sum of moves keeps the limits: what lowers them most comes first.
        return np.full(len(needs), UNPAYABLE * unit)
    return np.asarray(-solved.ineqlin.marginals[: len(needs)] * unit)


@functools.lru_cache
def _sets(moves: int) -> tuple[Positions, ...]:
    """All sets of 1, 2, 3 and 4 of the first moves: positions [sets, size] of each size."""
    return tuple(
        np.array(list(itertools.combinations(range(min(most, moves)), size + 1)), dtype=np.int64)
        for size, most in enumerate(OF)
    )


def _best(
    sets: Positions,
    clash: npt.NDArray[np.bool_],
    gains: Floats,
    wins: Floats,
    needs: Floats,
    most: int,
) -> Positions:
    """Of sets of moves [sets, size] the best that keep the limits.

    Moves that ``clash`` [moves, moves] change the same choice, and are in no set together.
    """
    apart = np.ones(len(sets), dtype=np.bool_)
    for first, second in itertools.combinations(sets.T, 2):
        apart &= ~clash[first, second]
    sets = sets[apart]
    kept = sets[(wins[sets].sum(axis=1) >= needs).all(axis=1)]
    return kept[np.argsort(-gains[kept].sum(axis=1), kind="stable")[:most]]


def _made(row: Row, around: Rows, changed: npt.NDArray[np.bool_], sets: Positions) -> Rows:
    """``row`` with the moves of each set: [sets, choices]."""
    rows = np.repeat(row[None], len(sets), axis=0)
    for move in sets.T:
        rows = np.where(changed[move], around[move], rows)
    return rows
