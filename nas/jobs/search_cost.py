"""How long a search will take and how much disk it needs, told before it starts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from latency_lut import Device, networks_seconds
from nas.jobs.samples import Samples
from nas.jobs.trained import TrainedRun
from search_spaces.space import Population

__all__ = ["search_bytes", "search_seconds"]

DOCUMENTS = 1 << 18
"""Bytes of front.json and best.json but for the points of the front."""
POINT = 1 << 13


def search_bytes(choices: int, samples: int, evaluations: int, candidates: int) -> int:
    """Bytes that the files of a search take at most.

    SQLite keeps a row of a store and its index, and a study's once more in the log that is
    written ahead; a row is the options' digits with commas, and six numbers beside them.
    """
    row = 6 * choices + 120
    return DOCUMENTS + 2 * evaluations * row + (samples + candidates) * row + candidates * POINT


def search_seconds(
    trained: TrainedRun, rows: Population, candidates: int, budget_ms: float, device: Device
) -> float | None:
    """About how long it takes to measure what is not known of ``rows`` [n, choices], and then
    ``candidates`` networks of ``budget_ms`` on ``device``.

    Where all ``rows`` are known there is nothing to time, and the last search's own time for its
    candidates is what is told: None without one.
    """
    if not trained.has_images:
        return networks_seconds(device, [budget_ms] * candidates)
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    known = samples.known()
    unknown = rows[[tuple(row.tolist()) not in known for row in rows]]
    if len(rows) and not len(unknown):
        return _recorded(trained.run.front)
    accuracies = _accuracies_seconds(trained, samples, unknown, candidates)
    return accuracies + networks_seconds(device, [budget_ms] * candidates)


def _accuracies_seconds(
    trained: TrainedRun, samples: Samples, unknown: Population, candidates: int
) -> float:
    """For the accuracies of ``unknown`` rows and of ``candidates`` of middling MACs.

    The space's two ends are timed, and kept; others are taken to lie between as their MACs do.
    """
    space = trained.space
    ends = np.stack([space.smallest, space.largest])
    macs = space.macs(ends)
    trained.val_accuracy(ends[0])  # Weights and images are read before the clock starts.
    seconds = []
    for row in ends:
        began = time.perf_counter()
        accuracy = trained.val_accuracy(row)
        seconds.append(time.perf_counter() - began)
        samples.keep(row, accuracy)
    costs = np.concatenate([space.macs(unknown), np.full(candidates, macs.mean())])
    return float(np.interp(costs, macs, seconds).sum())


def _recorded(front: Path) -> float | None:
    try:
        return float(json.loads(front.read_text(encoding="utf-8"))["seconds"]["measure"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
