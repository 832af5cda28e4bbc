"""What searches left, for one device or for many, from what they wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from nas.report.course_documents import read_elites, read_exact, read_growth, read_neighbours
from nas.report.documents import finite, pairs, require_format
from nas.report.fronts import Fleet, FleetDevice, FleetPoint, Front, Point, Sought
from nas.report.told import read_told

__all__ = [
    "read_fleet",
    "read_front",
    "read_point",
]

FORMAT = 1
# The second knew accuracy and latency alone, and is read as such.
FRONT_FORMATS = (2, 3)


def read_front(document: Mapping[str, Any]) -> Front:
    """``front.json``, its points put in the order of latency."""
    require_format(document, *FRONT_FORMATS)
    points = [read_point(point) for point in document["points"]]
    order = sorted(range(len(points)), key=lambda i: points[i].latency_ms)
    return Front(
        budget_ms=float(document["budget_ms"]),
        chosen=order.index(int(document["best"])),
        points=tuple(points[i] for i in order),
        dominated=tuple(read_point(point) for point in document.get("dominated", ())),
        cloud=pairs(document.get("cloud")),
        history=pairs(document.get("history")),
        searcher=str(document.get("searcher", "")),
        guide=str(document.get("guide", "")),
        scale=str(document["score"]),
        seed=document.get("seed"),
        evaluations=int(document.get("evaluations", 0)),
        seconds=document.get("seconds"),
        device=document.get("device"),
        confidence=document.get("confidence"),
        rounds=tuple(float(one["off"]) for one in document.get("rounds", ())),
        settled=bool(document.get("settled")),
        ended_by=document.get("ended_by"),
        growth=read_growth(document.get("growth")),
        elites=read_elites(document.get("elites")),
        neighbours=read_neighbours(document.get("neighbours")),
        exact=read_exact(document.get("exact")),
        sought=tuple(_sought(one) for one in document.get("quantities", ())),
        told=read_told(document),
    )


def read_fleet(document: Mapping[str, Any]) -> Fleet:
    """``fleet.json``."""
    require_format(document, FORMAT)
    points = tuple(
        FleetPoint(
            float(point["score"]),
            finite(point["val_accuracy"]),
            {str(name): float(one["ms"]) for name, one in point["latencies"].items()},
            {str(name): finite(value) for name, value in point["regrets"].items()},
        )
        for point in document["points"]
    )
    devices = tuple(
        FleetDevice(
            str(one["name"]),
            float(one["limit_ms"]),
            str(one["basis"]),
            tuple(int(position) for position in one["front"]),
            int(one["best"]),
            str(one["device"]["device"]),
            int(one["device"]["threads"]),
        )
        for one in document["devices"]
    )
    compromise, score = int(document["compromise"]), str(document["score"])
    guide = str(document.get("guide", ""))
    fleet = Fleet(devices, points, compromise, score, guide, read_told(document))
    for position in (fleet.compromise, *(i for one in devices for i in (*one.front, one.best))):
        points[position]
    return fleet


def read_point(document: Mapping[str, Any]) -> Point:
    """A measured network; what it lacks is None, but never latency, score or costs."""
    known = {field.name for field in fields(Point)} - {"quantities"}
    required = {field.name for field in fields(Point) if field.default is MISSING} & known
    values = {name: finite(value) for name, value in document.items() if name in known}
    lacking = sorted(required - {name for name, value in values.items() if value is not None})
    if lacking:
        raise KeyError(", ".join(lacking))
    more = {str(k): float(v) for k, v in document.get("quantities", {}).items()}
    images = int(values.get("val_images") or 0)
    return Point(**{**values, "val_images": images, "quantities": more})  # type: ignore[arg-type]


def _sought(document: Mapping[str, Any]) -> Sought:
    return Sought(
        str(document["name"]),
        str(document["unit"]),
        str(document["basis"]),
        bool(document["objective"]),
        finite(document["limit"]),
        bool(document["least"]),
        document.get("device"),
    )
