"""How a source of rows that repeats itself is asked for rows that are new."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.search.searcher import Rows
from nas.search.searchers.operators import fill_unread, mutate
from nas.search.seen import Seen, unseen
from search_spaces.space import Space

# Draws that may repeat what is known, and draws after them that are changed a little: around what
# is good there is more than anywhere, which is where rows come from that are still missing then.
PLAIN, CHANGED = 5, 5


def fresh(
    n: int, draw: Callable[[int], Rows], space: Space, rng: np.random.Generator, seen: Seen
) -> Rows:
    """``n`` canonical rows that are not in ``seen``, which then holds them: [n, choices].

    ``draw`` says canonical rows, as many as it is asked for. Fewer than ``n`` only where random
    ones are few, as ``unseen`` has it.
    """
    found = [np.empty((0, len(space.choices)), dtype=np.int64)]
    missing = n
    for number in range(PLAIN + CHANGED):
        if not missing:
            break
        rows = draw(missing)
        if number >= PLAIN:
            rows = space.canonical(mutate(space, fill_unread(space, rows, rng), rng))
        found.append(rows[seen.add(rows)])
        missing -= len(found[-1])
    return np.concatenate([*found, unseen(space, missing, rng, seen)])
