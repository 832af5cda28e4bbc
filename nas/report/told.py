"""What a search was told, from the document that it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.quantities import ACCURACY

__all__ = ["Told", "read_told"]


@dataclass(frozen=True)
class Told:
    """The options of a search beside its budgets in ms; None is what was not said, or not kept.

    ``evaluations`` are those that were asked for of a round. ``device`` may be several names with
    commas between them, ``threads`` and ``table`` are as they were named. ``dimensions`` have
    edges, or none where they were left open.
    """

    searcher: str | None = None
    predictor: str | None = None
    proxy: str | None = None
    evaluations: int | None = None
    minutes: float | None = None
    stagnation: int | None = None
    confidence: float | None = None
    seed: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    dimensions: tuple[tuple[str, tuple[float, ...]], ...] = ()
    device: str | None = None
    threads: int | None = None
    table: str | None = None
    exact: bool = False


def read_told(document: Mapping[str, Any]) -> Told:
    """Of ``front.json`` or ``fleet.json``; an older one says less."""
    told = document.get("told") or _older(document)
    return Told(
        document.get("searcher"),
        document.get("predictor"),
        document.get("proxy"),
        _whole(told.get("evaluations")),
        _number(document.get("minutes")),
        _whole(document.get("stagnation")),
        _number(document.get("confidence")),
        _whole(document.get("seed")),
        {str(name): float(limit) for name, limit in told["limits"].items()},
        tuple(str(name) for name in told["objectives"]),
        tuple(
            (str(name), tuple(float(edge) for edge in edges))
            for name, edges in told.get("dimensions", {}).items()
        ),
        told.get("device"),
        _whole(told.get("threads")),
        told.get("table"),
        bool(document.get("exact")),
    )


def _older(document: Mapping[str, Any]) -> dict[str, Any]:
    sought, device = document.get("quantities", ()), document.get("device") or {}
    return {
        "limits": {one["name"]: one["limit"] for one in sought if one["limit"] is not None},
        "objectives": [o["name"] for o in sought if o["objective"] and o["name"] != ACCURACY],
        "device": device.get("device"),
        "threads": device.get("threads"),
    }


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
