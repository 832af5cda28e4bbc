"""Ratios that hold on a busy machine: the two that are compared take turns."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from nas.processor import processor_name
from search_spaces.files import write_atomic


@dataclass(frozen=True)
class Pair:
    """Medians over rounds: milliseconds of each, and of the ratio first / second in a round."""

    first_ms: float
    second_ms: float
    ratio: float
    rounds: int


def interleaved(
    first: Callable[[], object], second: Callable[[], object], rounds: int, warm_up: int = 3
) -> Pair:
    """Time both in every round, one right after the other, with the order alternating."""
    for _ in range(warm_up):
        first()
        second()
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds):
        order = (0, 1) if round_ % 2 else (1, 0)
        for which in order:
            times[which].append(milliseconds((first, second)[which]))
    ratios = [a / b for a, b in zip(*times, strict=True)]
    return Pair(
        round(statistics.median(times[0]), 3),
        round(statistics.median(times[1]), 3),
        round(statistics.median(ratios), 4),
        rounds,
    )


def milliseconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def machine() -> dict[str, object]:
    """What the figures belong to."""
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def save(path: Path, document: dict[str, object]) -> None:
    """Readable JSON; pairs become objects."""
    text = json.dumps(document, indent=2, default=lambda value: asdict(value))
    write_atomic(path, text + "\n")
    print(f"written to {path}")
