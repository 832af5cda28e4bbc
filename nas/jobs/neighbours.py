"""The chosen network against its neighbours: what each of its choices costs and buys."""

from __future__ import annotations

from typing import Any

import numpy as np

from latency_lut import LatencyTable
from nas.jobs.guide import Guide
from nas.search.searchers.operators import changes
from search_spaces.space import Space


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
            for i, (choice, option) in enumerate(which.tolist())
        ],
    }
