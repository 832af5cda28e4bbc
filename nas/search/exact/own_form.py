"""Rows that a space holds equal to others: which decisions make a row one of them."""

from __future__ import annotations

import itertools

import numpy as np

from nas.search.searcher import Rows
from search_spaces.space import Space

# Completions of some decisions that are looked at: all of them where there are no more.
TRIED = 8_192


def never_canonical(space: Space, row: Rows, rng: np.random.Generator) -> tuple[list[int], bool]:
    """Choices whose options in ``row`` [choices], which is not canonical, no canonical row has, and
    whether that is certain.

    A space's own form is known by asking only. Where the other choices have more than 8,192
    completions that many random ones are asked, which is no proof for all.
    """
    kept: list[int] = np.flatnonzero(space.used(row)[0]).tolist()
    certain = True
    for choice in list(kept):
        fewer = [other for other in kept if other != choice]
        every = _completions(space, fewer) <= TRIED
        if _never(space, row, fewer, every, rng):
            kept, certain = fewer, certain and every
    return kept, certain


def _completions(space: Space, fixed: list[int]) -> float:
    free = [len(c.values) for i, c in enumerate(space.choices) if i not in fixed]
    return float(np.prod(free, dtype=np.float64))


def _never(
    space: Space, row: Rows, fixed: list[int], every: bool, rng: np.random.Generator
) -> bool:
    """Whether no canonical row reads the ``fixed`` choices and has the options of ``row`` there.

    Of ``every`` completion, or of some.
    """
    sizes = [1 if i in fixed else len(c.values) for i, c in enumerate(space.choices)]
    if every:
        rows = np.array(list(itertools.product(*map(range, sizes))), dtype=np.int64)
    else:
        rows = rng.integers(0, sizes, (TRIED, len(sizes)))
    rows[:, fixed] = row[fixed]
    used = space.used(rows)
    rows = np.where(used, rows, 0)[used[:, fixed].all(axis=1)]
    return bool((space.canonical(rows) != rows).any(axis=1).all()) if len(rows) else False
