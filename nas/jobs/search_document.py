"""What a search writes: ``front.json``, its points, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from latency_lut import LatencyTable
from nas.jobs import select
from nas.jobs.asked import Asked
from nas.jobs.budget import UPPER, SearchOptions, upper_ms
from nas.jobs.guide import Guide
from nas.jobs.rounds import Outcome, figures
from nas.jobs.trained import TrainedRun
from nas.scale import ACCURACY
from nas.search.pareto import hypervolume

__all__ = ["front_document"]

FORMAT = 3
CLOUD = 2000
HISTORY = 40


def front_document(
    trained: TrainedRun,
    table: LatencyTable,
    guide: Guide,
    options: SearchOptions,
    outcome: Outcome,
    chosen: int,
    seconds: Mapping[str, float],
    asked: Asked | None = None,
) -> dict[str, Any]:
    """The document of a search by ``table`` whose best candidate is number ``chosen``."""
    asked = asked or Asked()
    measured = [one.point for one in outcome.candidates]
    values = asked.values([one.row for one in outcome.candidates], measured)
    points = [
        {
            **one.point,
            UPPER: upper_ms(one.latency, options),
            "quantities": {name: float(value[i]) for name, value in values.items()},
        }
        for i, one in enumerate(outcome.candidates)
    ]
    best, study = points[chosen], outcome.study
    others = [
        [one.turned(value) for value in values[one.name].tolist()] for one in asked.objectives
    ]
    kept = select.on_front(*figures(outcome.candidates), others)
    # At a confidence a network whose interval is narrower may be the best, though one of a
    # better middle beats it.
    kept[chosen] = True
    front = [point for point, keep in zip(points, kept, strict=True) if keep]
    front.sort(key=lambda point: float(point["latency_ms"]))
    searched = study.values()
    told = searched[np.isfinite(searched).all(axis=1)]
    cloud = told[:: max(1, len(told) // CLOUD)]
    return {
        "format": FORMAT,
        "space": trained.space.name,
        "identity": trained.space.identity,
        "device": dict(table.fingerprint.to_dict()),
        "table": table.campaign.when,
        "budget_ms": options.latency_ms,
        "predictor": options.predictor,
        "proxy": options.proxy,
        "guide": guide.name,
        "guide_identity": guide.identity,
        "score": ACCURACY if trained.has_images else guide.scale,
        "searcher": options.searcher,
        "seed": options.seed,
        **trained.belongs(),
        "evaluations": len(study),
        "minutes": options.minutes,
        "stagnation": options.stagnation,
        "ended_by": study.ended_by,
        "seconds": {name: round(took, 2) for name, took in seconds.items()},
        "confidence": options.confidence,
        "rounds": [asdict(one) for one in outcome.rounds],
        "settled": outcome.settled,
        "quantities": asked.described(measured),
        "best": front.index(best),
        "points": front,
        "dominated": [point for point, keep in zip(points, kept, strict=True) if not keep],
        # Where accuracies are measured what a proxy says is on another scale than the points.
        "cloud": []
        if trained.has_images and guide.unit
        else _cloud(cloud[:, 1], guide.score(cloud[:, 0])),
        "history": _history(searched[:, :2], study.feasible),
    }


def _cloud(
    latency_ms: npt.NDArray[np.float64], score: npt.NDArray[np.float64]
) -> list[list[float]]:
    pairs = zip(latency_ms.tolist(), score.tolist(), strict=True)
    return [[round(ms, 6), round(value, 4)] for ms, value in pairs]


def _history(values: npt.NDArray[np.float64], feasible: npt.NDArray[np.bool_]) -> list[list[float]]:
    """Hypervolume of error and latency of what keeps the limits after some numbers of evaluations.

    The reference point holds the worst error and latency among them.
    """
    reference = values[feasible].max(0)
    numbers = np.unique(np.geomspace(min(10, len(values)), len(values), HISTORY).astype(int))
    return [
        [int(n), round(float(hypervolume(values[:n][feasible[:n]], reference)), 6)] for n in numbers
    ]
