"""What a search for a fleet writes: ``fleet.json``, its points, and how each latency is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latency_lut import LatencyTable
from nas.jobs.budget import SearchOptions
from nas.jobs.guide import Guide
from nas.jobs.trained import TrainedRun
from nas.scale import ACCURACY
from nas.search import Fleet
from nas.search.fleet import compromise, fronts, least_errors, regrets
from search_spaces.errors import InfeasibleError

__all__ = ["Member", "fleet_document"]

FORMAT = 1


@dataclass(frozen=True)
class Member:
    """A candidate: its ``row``, what is known of its quality, and its latencies by device.

    Those are pairs of ms and their standard deviation: of all devices as ``predicted``, and of
    those at hand as ``measured``.
    """

    row: tuple[int, ...]
    quality: Mapping[str, Any]
    predicted: Mapping[str, tuple[float, float]]
    measured: Mapping[str, tuple[float, float]]

    def latency(self, name: str) -> tuple[float, float]:
        """The best that is known: as measured, or else as predicted."""
        return self.measured.get(name, self.predicted[name])


def fleet_document(
    trained: TrainedRun,
    tables: Mapping[str, LatencyTable],
    limits: Mapping[str, float],
    guide: Guide,
    options: SearchOptions,
    found: Fleet,
    members: Sequence[Member],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The document of what was measured; regrets are among ``members``.

    Raises ``InfeasibleError`` where none of them keeps all limits.
    """
    names, most = list(limits), list(limits.values())
    known = np.array([[one.latency(name) for name in names] for one in members])
    ms, upper = known[..., 0], known[..., 0] + options.deviations * known[..., 1]
    errors = np.array([-float(one.quality["score"]) for one in members])
    lost = regrets(errors, upper, most)
    try:
        chosen = compromise(lost)
    except InfeasibleError as error:
        raise InfeasibleError(
            f"of {len(members)} candidates none keeps {_said(limits)} once measured; raise "
            "--budget or the limits"
        ) from error
    least = least_errors(errors, upper, most)
    space = trained.space
    points = []
    for i, one in enumerate(members):
        points.append(
            {
                "architecture": json.loads(space.decode(one.row).to_json()),
                **one.quality,
                "latencies": {name: _latency(one, name, options.deviations) for name in names},
                # None where the network breaks the limit: infinite is no number in JSON.
                "regrets": {
                    name: float(lost[i, k]) if np.isfinite(lost[i, k]) else None
                    for k, name in enumerate(names)
                },
                "macs": float(space.macs(one.row)[0]),
                "parameters": float(space.parameters(one.row)[0]),
            }
        )
    ends = fronts(errors, ms)
    return {
        "format": FORMAT,
        "space": space.name,
        "identity": space.identity,
        "guide": guide.name,
        "guide_identity": guide.identity,
        "score": ACCURACY if trained.has_images else guide.scale,
        "predictor": options.predictor,
        "proxy": options.proxy,
        "searcher": options.searcher,
        "seed": options.seed,
        "confidence": options.confidence,
        **trained.belongs(),
        "evaluations": len(found.rows),
        "minutes": options.minutes,
        "stagnation": options.stagnation,
        "seconds": {name: round(took, 2) for name, took in seconds.items()},
        "devices": [
            {
                "name": name,
                "limit_ms": limits[name],
                "basis": "measured" if name in members[0].measured else "predicted",
                "device": dict(tables[name].fingerprint.to_dict()),
                "table": tables[name].campaign.when,
                "front": ends[k].tolist(),
                "best": _best(errors, upper[:, k], most[k], float(least[k])),
            }
            for k, name in enumerate(names)
        ],
        "points": points,
        "compromise": chosen,
    }


def _latency(one: Member, name: str, deviations: float) -> dict[str, Any]:
    ms, std = one.latency(name)
    predicted, predicted_std = one.predicted[name]
    return {
        "ms": ms,
        "std_ms": std,
        "upper_ms": ms + deviations * std,
        "predicted_ms": predicted,
        "predicted_std_ms": predicted_std,
    }


def _best(errors: Any, upper: Any, limit: float, least: float) -> int:
    """The position of the least error within the limit, of equal ones the fastest."""
    within = np.flatnonzero((upper <= limit) & (errors == least))
    return int(within[upper[within].argmin()])


def _said(limits: Mapping[str, float]) -> str:
    return " and ".join(f"{limit:g} ms on {name}" for name, limit in limits.items())
