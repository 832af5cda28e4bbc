"""How the predicted front of a search grew, for its report."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.jobs.guide import Guide
from nas.search import Study
from nas.search.growth import fronts

__all__ = ["front_growth"]

SHARES = (0.1, 0.25, 0.5, 1.0)
MOST = 200
"""Points of a front that are kept: as many as can be told apart in a picture."""


def front_growth(study: Study, guide: Guide) -> dict[str, Any] | None:
    """The predicted front after some shares of all evaluations: latency in ms, and score.

    None where the search did not go by error and latency. Further objectives are left out: of
    each front, points stay that no other beats in these two.
    """
    names = study.problem.objectives
    if not {"error", "latency_ms"} <= set(names):
        return None
    values = study.values()[:, [names.index("error"), names.index("latency_ms")]]
    numbers = sorted({max(1, round(share * len(study))) for share in SHARES})
    grown = []
    for number, front in zip(numbers, fronts(values, study.feasible, numbers), strict=True):
        picked = np.linspace(0, len(front) - 1, min(MOST, len(front))).astype(int)
        kept = front[picked]
        pairs = zip(kept[:, 1].tolist(), guide.score(kept[:, 0]).tolist(), strict=True)
        points = sorted([round(ms, 6), round(score, 4)] for ms, score in pairs)
        grown.append({"evaluations": number, "points": points})
    return {"scale": guide.scale, "fronts": grown}
