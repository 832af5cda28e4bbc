"""The front of a search, measured until the best network under the budget is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from latency_lut import Device, LatencyTable
from nas.jobs import select
from nas.jobs.guide import Guide
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from search_spaces.space import Population

__all__ = ["figures", "measured_front"]

MOST_ROUNDS = 3
ENOUGH = 0.95
"""A best network that uses this share of the budget leaves nothing to look for."""


def measured_front(
    trained: TrainedRun,
    table: LatencyTable,
    guide: Guide,
    rows: Population,
    budget_ms: float,
    candidates: int,
    device: Device,
    screen: Screen,
) -> list[dict[str, Any]]:
    """Measured points of a predicted front ``rows`` [n, choices]; ``candidates`` at first.

    A search prefers what its predictions flatter, so the networks just under the budget may turn
    out above it. Then others are measured, from below the budget by as much as those were above.
    """
    from nas.jobs.candidates import measure_candidates

    predicted = np.asarray(table.predict(rows), dtype=np.float64)
    error = np.asarray(guide.source.predict(rows), dtype=np.float64)
    points: list[dict[str, Any]] = []
    done: list[int] = []
    limit, number = budget_ms, candidates
    for _ in range(MOST_ROUNDS):
        open_ = np.setdiff1d(np.flatnonzero(predicted <= limit), done)
        if not len(open_):
            break
        picked = open_[select.candidates(predicted[open_], error[open_], number)]
        done += picked.tolist()
        points += measure_candidates(trained, table, guide, rows[picked], device, screen)
        above = [point for point in points if point["latency_ms"] > budget_ms]
        best = select.best(*figures(points), budget_ms)
        if not above or (best is not None and points[best]["latency_ms"] > ENOUGH * budget_ms):
            break
        excess = np.median([p["latency_ms"] / p["predicted_latency_ms"] for p in above])
        limit, number = budget_ms / float(excess), (candidates + 1) // 2
    return points


def figures(points: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Measured latencies of points, and their scores."""
    return (
        [point["latency_ms"] for point in points],
        [point["score"] for point in points],
    )
