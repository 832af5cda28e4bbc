"""The JSON files of a run; one that is damaged is named, never half believed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nas.report.data import Test, Tuned, TunedSubnet
from search_spaces.errors import ArtefactError

__all__ = [
    "finite",
    "number",
    "pairs",
    "read_document",
    "read_test",
    "read_tuned",
    "require_format",
]

FORMAT = 1
ACCURACIES = ("val_inherited", "val_finetuned", "test_inherited", "test_finetuned")
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


def read_test(document: Mapping[str, Any], front: Mapping[str, Any]) -> Test:
    """``test.json``, put in the order of latency of the front that it belongs to."""
    require_format(document, FORMAT)
    points, tested = front["points"], document["points"]
    if document["weights"] != front.get("weights") or len(tested) != len(points):
        raise ValueError("it belongs to other weights or to another front")
    order = sorted(range(len(points)), key=lambda i: float(points[i]["latency_ms"]))
    accuracy = tuple(float(tested[i]["test_accuracy"]) for i in order)
    return Test(int(document["images"]), accuracy)


def read_tuned(document: Mapping[str, Any], weights: str) -> tuple[Tuned, tuple[str, ...]]:
    """``finetuned_test.json`` of the supernet with the digest ``weights``, and its warnings."""
    require_format(document, FORMAT)
    if document["weights"] != weights:
        raise ValueError("it belongs to other weights")
    subnets = tuple(
        TunedSubnet(str(one["folder"]), str(one["weights"]), *(number(one[n]) for n in ACCURACIES))
        for one in document["subnets"]
    )
    left_out = document["left_out"]
    if not isinstance(left_out, list):
        raise TypeError("left_out is a list of sentences")
    return Tuned(int(document["images"]), subnets), tuple(str(said) for said in left_out)


def number(value: Any) -> float:
    """A finite number; raises ``ValueError`` where it is none."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    return float(value)


def finite(value: Any) -> float | None:
    """A finite number; None where it is none."""
    return float(value) if value is not None and math.isfinite(value) else None


def pairs(rows: Any) -> tuple[tuple[float, float], ...]:
    """Rows of two finite numbers; others are left out, and None is no rows."""
    return tuple((float(x), float(y)) for x, y in rows or () if math.isfinite(x + y))


def require_format(document: Mapping[str, Any], *known: int) -> None:
    """Raises ``ValueError`` where a document is of none of the ``known`` formats."""
    if document["format"] not in known:
        reads = " and ".join(map(str, known))
        raise ValueError(f"format {document['format']!r}, this version reads {reads}")
