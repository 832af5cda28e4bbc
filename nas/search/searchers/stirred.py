"""A source of rows that repeats itself is stirred: later draws are changed a little."""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Rows
from nas.search.searchers.mating import Make
from nas.search.searchers.operators import fill_unread, mutate
from search_spaces.space import Space

# Draws that are taken as they are; those after them are changed a little: around what is good there
# is more than anywhere, which is where rows come from that are still missing then.
PLAIN = 5


def stirred(space: Space, draw: Make, rng: np.random.Generator) -> Make:
    """For ``mating.fresh``: what ``draw`` says the first times, then that, changed a little.

    ``draw`` says canonical rows, as many as it is asked for; changed ones are not canonical.
    """
    draws = 0

    def make(n: int) -> Rows:
        nonlocal draws
        draws += 1
        rows = draw(n)
        return rows if draws <= PLAIN else mutate(space, fill_unread(space, rows, rng), rng)

    return make
