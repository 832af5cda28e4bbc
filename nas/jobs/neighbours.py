"""The chosen network against its neighbours: what each of its choices costs and buys."""

from __future__ import annotations

from typing import Any

import numpy as np

from latency_lut import LatencyTable
from nas.jobs.guide import Guide
from nas.search.searcher import Rows
from search_spaces.space import Population, Space

__all__ = ["changes", "neighbours"]


def neighbours(
    space: Space, table: LatencyTable, guide: Guide, row: tuple[int, ...]
) -> dict[str, Any]:
    """What each choice of a network costs and buys: predicted, against every other option.

    ``changes`` holds differences: milliseconds and score of the network with the other option
    less those of this one.
    """
    here = np.array(row, dtype=np.int64)
    which, rows = changes(space, here)
    together = np.concatenate([here[None], rows])
    latency = np.asarray(table.predict(together), dtype=np.float64)
    score = guide.score(np.asarray(guide.source.predict(together), dtype=np.float64))
    return {
        "scale": guide.scale,
        "latency_ms": round(float(latency[0]), 6),
        "score": round(float(score[0]), 4),
        "changes": [
            {
                "choice": space.choices[choice].name,
                "now": str(space.choices[choice].values[row[choice]]),
                "instead": str(space.choices[choice].values[option]),
                "latency_ms": round(float(latency[i + 1] - latency[0]), 6),
                "score": round(float(score[i + 1] - score[0]), 4),
            }
            for i, (choice, option) in enumerate(which)
        ],
    }


def changes(space: Space, row: Population) -> tuple[list[tuple[int, int]], Rows]:
    """Every other option of every choice that the network of ``row`` [choices] reads.

    Pairs (choice, option), and the canonical rows [pairs, choices] with that option. What only an
    option asks for (the layers of a larger depth) takes its first option. An option that makes the
    same network is left out.
    """
    used = space.used(row[None])[0]
    pairs = [
        (choice, option)
        for choice, values in enumerate(space.choices)
        for option in range(len(values.values))
        if used[choice] and option != row[choice]
    ]
    rows = np.repeat(row[None], len(pairs), axis=0)
    for i, (choice, option) in enumerate(pairs):
        rows[i, choice] = option
    rows = space.canonical(rows)
    others = np.flatnonzero((rows != row).any(axis=1))
    return [pairs[i] for i in others], rows[others]
