"""How a search went, from what it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from nas.report.course import Axis, Change, Curve, Curves, Elites, Exact, Growth, Neighbours
from nas.report.documents import finite, number, pairs, require_format

__all__ = [
    "CURVES_FORMAT",
    "curves_belong_to",
    "read_curves",
    "read_elites",
    "read_exact",
    "read_growth",
    "read_neighbours",
]

CURVES_FORMAT = 1
SHARED = (
    *("identity", "device", "table", "weights", "data", "guide_identity"),
    *("budget_ms", "confidence", "quantities"),
)
"""What of ``front.json`` decides what a search can find: curves share it with their front."""
OF_DEVICES = ("name", "limit_ms", "device", "table")
"""The same of each device in ``fleet.json``."""


def curves_belong_to(found: Mapping[str, Any]) -> dict[str, Any]:
    """What curves have in common with ``front.json`` or ``fleet.json``, which their search left."""
    shared = {name: found.get(name) for name in SHARED}
    # Who goes by them finds other networks; others draw their map by them.
    dimensions = (found.get("told") or {}).get("dimensions")
    if dimensions and found.get("searcher") == "map-elites":
        shared["dimensions"] = dimensions
    if "devices" in found:
        shared["devices"] = [{name: one[name] for name in OF_DEVICES} for one in found["devices"]]
    return shared


def read_curves(document: Mapping[str, Any], found: Mapping[str, Any]) -> Curves:
    """``curves.json``, which has to be of the search that left ``found``."""
    require_format(document, CURVES_FORMAT)
    if document["belongs"] != curves_belong_to(found):
        left = "fleet.json" if "devices" in found else "front.json"
        raise ValueError(f"it belongs to another search than {left}; search again")
    objectives = tuple(map(str, document["objectives"]))
    reference = tuple(number(value) for value in document["reference"])
    ideal = document.get("ideal")
    ideal = None if ideal is None else tuple(number(value) for value in ideal)
    numbers = tuple(map(int, document["numbers"]))
    curves = tuple(
        Curve(str(one["searcher"]), int(one["seed"]), tuple(map(number, one["volumes"])))
        for one in document["curves"]
    )
    if any(len(point) != len(objectives) for point in (reference, ideal or reference)):
        raise ValueError("a point has a value for each objective")
    if any(len(curve.volumes) != len(numbers) for curve in curves):
        raise ValueError("a curve has a value for each number of evaluations")
    if not curves or list(numbers) != sorted(set(numbers)) or numbers[0] < 1:
        raise ValueError("numbers of evaluations ascend from 1")
    return Curves(objectives, reference, numbers, curves, ideal)


def read_growth(document: Mapping[str, Any] | None) -> Growth | None:
    """What ``nas.jobs.growth`` left; None where there is nothing."""
    if document is None:
        return None
    grown = tuple((int(one["evaluations"]), pairs(one["points"])) for one in document["fronts"])
    return Growth(str(document["scale"]), grown)


def read_elites(document: Mapping[str, Any] | None) -> Elites | None:
    """What ``nas.jobs.elites`` left; raises ``ValueError`` where it is no map."""
    if document is None:
        return None
    axes = tuple(map(_axis, document["dimensions"]))
    cells, rows = (
        tuple(tuple(map(int, one)) for one in document[name]) for name in ("cells", "rows")
    )
    qualities, violations = (
        tuple(map(number, document[name])) for name in ("qualities", "violations")
    )
    if not len(cells) == len(rows) == len(qualities) == len(violations) > 0:
        raise ValueError("a map has a cell, a row, a quality and a violation for every network")
    if not axes or any(
        len(cell) != len(axes)
        or not all(0 <= k < len(axis.edges) - 1 for k, axis in zip(cell, axes, strict=True))
        for cell in cells
    ):
        raise ValueError("a cell has a number for each axis of its map")
    return Elites(str(document["quality"]), axes, cells, rows, qualities, violations)


def _axis(document: Mapping[str, Any]) -> Axis:
    edges = tuple(map(number, document["edges"]))
    if list(edges) != sorted(set(edges)) or len(edges) < 2:
        raise ValueError("edges of a map ascend")
    # An older version did not say what cells stand for.
    named = document.get("values")
    values = None if named is None else tuple(map(number, named))
    if values is not None and (
        len(values) != len(edges) - 1
        or not all(
            low <= one < high for (low, high), one in zip(pairwise(edges), values, strict=True)
        )
    ):
        raise ValueError("a cell of a map that stands for a number holds it")
    return Axis(str(document["name"]), edges, values)


def read_neighbours(document: Mapping[str, Any] | None) -> Neighbours | None:
    """What ``nas.jobs.neighbours`` left."""
    if document is None:
        return None
    changes = tuple(
        Change(
            str(one["choice"]),
            str(one["now"]),
            str(one["instead"]),
            number(one["latency_ms"]),
            number(one["score"]),
        )
        for one in document["changes"]
    )
    latency_ms, score = (number(document[name]) for name in ("latency_ms", "score"))
    return Neighbours(str(document["scale"]), latency_ms, score, changes)


def read_exact(document: Mapping[str, Any] | None) -> Exact | None:
    """What ``nas.jobs.exact`` left; None where it was not asked for."""
    if document is None:
        return None
    score, searched, latency_ms, seconds = (
        number(document[name]) for name in ("score", "searched", "latency_ms", "seconds")
    )
    bound, proven = finite(document["bound"]), bool(document["proven"])
    return Exact(str(document["scale"]), score, bound, proven, searched, latency_ms, seconds)
