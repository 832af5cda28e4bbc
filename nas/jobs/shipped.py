"""What an export wrote, where it is not what a search has timed: said, and timed here if it can."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import Model, NetworkLatency, measure_networks, pace_of
from nas.export import ExportOptions
from nas.jobs.budget import SearchOptions, sure, upper_ms
from nas.jobs.tables import chosen_table
from nas.jobs.trained import TrainedRun
from nas.profiling import read
from nas.run import Run
from search_spaces import Architecture
from search_spaces.errors import NasLoopError

__all__ = ["shipped"]

HERE = "cpu"
"""The device on which timing one file takes some two seconds."""


@dataclass(frozen=True)
class Searched:
    """What the search that found a network was told, says of it, and how it timed it."""

    options: SearchOptions
    latency_ms: float
    device: str
    threads: int
    table: Path | None


def shipped(
    trained: TrainedRun,
    architecture: Architecture,
    options: ExportOptions,
    file: Path,
    folders: Iterable[Path],
) -> tuple[dict[str, Any] | None, str]:
    """How ``file`` differs from what searches time, as data and in a sentence; None if it does not.

    Where one of the searches in ``folders`` named this network the best for this machine's
    processor, the file is timed as that search did, a file of several images aside.
    """
    if not options.apart:
        return None, ""
    said = (
        "not what was timed: a search times networks on one image of normalised floats, this "
        f"file takes {options.apart}"
    )
    data: dict[str, Any] = {"takes": options.apart}
    later = f"{said}; `nas profile {file} --table {trained.run.folder}` times it"
    searched = next(filter(None, (_searched(folder, architecture) for folder in folders)), None)
    if searched is None or searched.device != HERE or (options.batch or 1) > 1:
        return data, later
    try:
        found = _timed(trained, architecture, file, searched)
    except NasLoopError as error:
        return data, f"{later} (not done here: {error})"
    told = searched.options
    within = upper_ms(found.latency, told) <= told.latency_ms
    data |= {
        "latency_ms": found.latency_ms,
        "latency_error_ms": found.latency.error_ms,
        "searched_ms": searched.latency_ms,
        "budget_ms": told.latency_ms,
        "confidence": told.confidence,
        "within": within,
    }
    return data, (
        f"{said}; timed now it takes {found.latency_ms:.4g} ms ± {found.latency.error_ms:.2g} "
        f"({searched.latency_ms:.4g} ms in the search), which "
        f"{'keeps' if within else 'is over'} the budget of {told.latency_ms:g} ms{sure(told)}"
    )


def _searched(folder: Path, architecture: Architecture) -> Searched | None:
    """The search in ``folder``, if there is one whose best network this is."""
    try:
        front = json.loads(Run(folder).front.read_text(encoding="utf-8"))
        best, table = front["points"][front["best"]], front.get("told", {}).get("table")
        if Architecture.from_json(json.dumps(best["architecture"])) != architecture:
            return None
        return Searched(
            SearchOptions(float(front["budget_ms"]), confidence=front.get("confidence")),
            float(best["latency_ms"]),
            str(front["device"]["device"]),
            int(front["device"]["threads"]),
            None if table is None else Path(table),
        )
    # No search, or what it left is damaged, which is others' to say.
    except (OSError, ValueError, LookupError, TypeError, AttributeError, NasLoopError):
        return None


def _timed(
    trained: TrainedRun, architecture: Architecture, file: Path, searched: Searched
) -> NetworkLatency:
    """``file`` on this machine's processor, one image a run, at the pace of the search's table.

    Raises:
        NasLoopError: there is no table, or it is of something else; or the device fails.
    """
    table, device = chosen_table(trained, HERE, searched.threads, searched.table)
    row = np.array([trained.space.encode(architecture)])
    written = read(file)
    model = Model(str(file), written.content, written.shapes, written.file_bytes)
    (found,) = measure_networks(
        [model],
        device,
        rng=np.random.default_rng(0),
        pace=pace_of(table, row),
        sides={model.name: written.side},
        memory=False,
    )
    return found
