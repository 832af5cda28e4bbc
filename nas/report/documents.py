"""The JSON files of a run, as data; a file that is damaged is named, never half believed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from nas.report.course import Change, Curve, Curves, Elites, Exact, Growth, Neighbours
from nas.report.data import Test
from nas.report.fronts import Fleet, FleetDevice, FleetPoint, Front, Point, Sought
from search_spaces.errors import ArtefactError

__all__ = [
    "CURVES_FORMAT",
    "curves_belong_to",
    "read_curves",
    "read_document",
    "read_fleet",
    "read_front",
    "read_point",
    "read_test",
]

FORMAT = 1
# The second knew accuracy and latency alone, and is read as such.
FRONT_FORMATS = (2, 3)
CURVES_FORMAT = 1
SHARED = (
    *("identity", "device", "table", "weights", "data", "guide_identity"),
    *("budget_ms", "confidence", "quantities"),
)
"""What of ``front.json`` decides what a search can find: curves share it with their front."""
T = TypeVar("T")


def read_document(path: Path, make: Callable[[dict[str, Any]], T]) -> T | None:
    """What ``make`` makes of a JSON object; None if there is no file.

    Raises:
        ArtefactError: damaged, or not what ``make`` expects.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise TypeError("an object is expected")
        return make(document)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtefactError(f"{path.name} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ArtefactError(
            f"{path.name} is damaged or of another version ({type(error).__name__}: {error})"
        ) from error


def read_front(document: Mapping[str, Any]) -> Front:
    """``front.json``, its points put in the order of latency."""
    _require_format(document, *FRONT_FORMATS)
    points = [read_point(point) for point in document["points"]]
    order = sorted(range(len(points)), key=lambda i: points[i].latency_ms)
    return Front(
        budget_ms=float(document["budget_ms"]),
        chosen=order.index(int(document["best"])),
        points=tuple(points[i] for i in order),
        dominated=tuple(read_point(point) for point in document.get("dominated", ())),
        cloud=_pairs(document.get("cloud")),
        history=_pairs(document.get("history")),
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
        growth=_growth(document.get("growth")),
        elites=_elites(document.get("elites")),
        neighbours=_neighbours(document.get("neighbours")),
        exact=_exact(document.get("exact")),
        sought=tuple(_sought(one) for one in document.get("quantities", ())),
    )


def curves_belong_to(front: Mapping[str, Any]) -> dict[str, Any]:
    """What curves have in common with the front that their search left."""
    return {name: front.get(name) for name in SHARED}


def read_curves(document: Mapping[str, Any], front: Mapping[str, Any]) -> Curves:
    """``curves.json``, which has to be of the search that left ``front``."""
    _require_format(document, CURVES_FORMAT)
    if document["belongs"] != curves_belong_to(front):
        raise ValueError("it belongs to another search than front.json; search again")
    objectives = tuple(map(str, document["objectives"]))
    reference = tuple(_number(value) for value in document["reference"])
    numbers = tuple(int(number) for number in document["numbers"])
    curves = tuple(
        Curve(str(one["searcher"]), int(one["seed"]), tuple(map(_number, one["volumes"])))
        for one in document["curves"]
    )
    if len(reference) != len(objectives) or any(len(c.volumes) != len(numbers) for c in curves):
        raise ValueError("a curve has a value for each number of evaluations")
    if not curves or list(numbers) != sorted(set(numbers)) or numbers[0] < 1:
        raise ValueError("numbers of evaluations ascend from 1")
    return Curves(objectives, reference, numbers, curves)


def read_fleet(document: Mapping[str, Any]) -> Fleet:
    """``fleet.json``."""
    _require_format(document, FORMAT)
    points = tuple(
        FleetPoint(
            float(point["score"]),
            _finite(point["val_accuracy"]),
            {str(name): float(one["ms"]) for name, one in point["latencies"].items()},
            {str(name): _finite(value) for name, value in point["regrets"].items()},
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
        )
        for one in document["devices"]
    )
    fleet = Fleet(devices, points, int(document["compromise"]), str(document["score"]))
    for position in (fleet.compromise, *(i for one in devices for i in (*one.front, one.best))):
        points[position]
    return fleet


def read_point(document: Mapping[str, Any]) -> Point:
    """A measured network; what it lacks is None, but never latency, score or costs."""
    known = {field.name for field in fields(Point)} - {"quantities"}
    required = {field.name for field in fields(Point) if field.default is MISSING} & known
    values = {name: _finite(value) for name, value in document.items() if name in known}
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
        _finite(document["limit"]),
        bool(document["least"]),
        document.get("device"),
    )


def read_test(document: Mapping[str, Any], front: Mapping[str, Any]) -> Test:
    """``test.json``, put in the order of latency of the front that it belongs to."""
    _require_format(document, FORMAT)
    points, tested = front["points"], document["points"]
    if document["weights"] != front.get("weights") or len(tested) != len(points):
        raise ValueError("it belongs to other weights or to another front")
    order = sorted(range(len(points)), key=lambda i: float(points[i]["latency_ms"]))
    accuracy = tuple(float(tested[i]["test_accuracy"]) for i in order)
    return Test(int(document["images"]), accuracy)


def _growth(document: Mapping[str, Any] | None) -> Growth | None:
    if document is None:
        return None
    grown = tuple((int(one["evaluations"]), _pairs(one["points"])) for one in document["fronts"])
    return Growth(str(document["scale"]), grown)


def _elites(document: Mapping[str, Any] | None) -> Elites | None:
    if document is None:
        return None
    axes = tuple(
        (str(one["name"]), tuple(map(_number, one["edges"]))) for one in document["dimensions"]
    )
    cells, rows = (
        tuple(tuple(map(int, one)) for one in document[name]) for name in ("cells", "rows")
    )
    qualities, violations = (
        tuple(map(_number, document[name])) for name in ("qualities", "violations")
    )
    if not len(cells) == len(rows) == len(qualities) == len(violations) > 0:
        raise ValueError("a map has a cell, a row, a quality and a violation for every network")
    if any(list(edges) != sorted(set(edges)) or len(edges) < 2 for _, edges in axes):
        raise ValueError("edges of a map ascend")
    if not axes or any(
        len(cell) != len(axes)
        or not all(0 <= k < len(edges) - 1 for k, (_, edges) in zip(cell, axes, strict=True))
        for cell in cells
    ):
        raise ValueError("a cell has a number for each axis of its map")
    return Elites(str(document["quality"]), axes, cells, rows, qualities, violations)


def _neighbours(document: Mapping[str, Any] | None) -> Neighbours | None:
    if document is None:
        return None
    changes = tuple(
        Change(
            str(one["choice"]),
            str(one["now"]),
            str(one["instead"]),
            _number(one["latency_ms"]),
            _number(one["score"]),
        )
        for one in document["changes"]
    )
    latency_ms, score = (_number(document[name]) for name in ("latency_ms", "score"))
    return Neighbours(str(document["scale"]), latency_ms, score, changes)


def _exact(document: Mapping[str, Any] | None) -> Exact | None:
    if document is None:
        return None
    score, searched, latency_ms, seconds = (
        _number(document[name]) for name in ("score", "searched", "latency_ms", "seconds")
    )
    bound, proven = _finite(document["bound"]), bool(document["proven"])
    return Exact(str(document["scale"]), score, bound, proven, searched, latency_ms, seconds)


def _number(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    return float(value)


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _pairs(rows: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in rows or () if math.isfinite(x + y))


def _require_format(document: Mapping[str, Any], *known: int) -> None:
    if document["format"] not in known:
        reads = " and ".join(map(str, known))
        raise ValueError(f"format {document['format']!r}, this version reads {reads}")
