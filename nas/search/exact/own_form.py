"""Rows that a space holds equal to others: which decisions make a row one of them."""

from __future__ import annotations

import itertools

import numpy as np

from nas.search.searcher import Rows
from search_spaces.space import Space

# Completions of some decisions that are looked at: all of them where there are no more.
TRIED = 8_192


def never_canonical(space: Space, row: Rows, rng: np.random.Generator) -> list[int]:
    """Choices whose options in ``row`` [choices], which is not canonical, no canonical row has.

    A space's own form is known by asking only. Where the other choices have more than 8,192
    completions that many random ones are asked, which is no proof for all.
    """
    kept: list[int] = np.flatnonzero(space.used(row)[0]).tolist()
    for choice in list(kept):
        fewer = [other for other in kept if other != choice]
        if _never(space, row, fewer, rng):
            kept = fewer
    return kept


def _never(space: Space, row: Rows, fixed: list[int], rng: np.random.Generator) -> bool:
    """Whether no canonical row reads the ``fixed`` choices and has the options of ``row`` there."""
    sizes = [1 if i in fixed else len(c.values) for i, c in enumerate(space.choices)]
    if np.prod(sizes, dtype=np.float64) <= TRIED:
        rows = np.array(list(itertools.product(*map(range, sizes))), dtype=np.int64)
    else:
        rows = rng.integers(0, sizes, (TRIED, len(sizes)))
    rows[:, fixed] = row[fixed]
    used = space.used(rows)
    rows = np.where(used, rows, 0)[used[:, fixed].all(axis=1)]
    return bool((space.canonical(rows) != rows).any(axis=1).all()) if len(rows) else False
