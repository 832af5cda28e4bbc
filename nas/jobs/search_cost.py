"""How long a search will take and how much disk it needs, told before it starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from latency_lut import networks_seconds
from nas.jobs.budget import SearchOptions
from nas.jobs.row_store import RowStore
from nas.jobs.samples import Samples
from nas.jobs.trained import TrainedRun
from search_spaces.space import Population

__all__ = [
    "most_evaluations",
    "round_seconds",
    "rows_seconds",
    "search_bytes",
    "search_seconds",
]

DOCUMENTS = 1 << 18
"""Bytes of front.json and best.json but for the points of the front."""
POINT = 1 << 13
SPEED, MOST_SPEED = 20_000, 30_000
"""Evaluations a second of a round: about, and at most. Predictions are all that is evaluated."""
MODELLED = {"linas": 0.1, "mobo": 0.1}
"""Seconds an evaluation by searchers that fit models of their own, about."""
TOLD_BY = 2
"""Networks whose times tell that of others, by a line over MACs."""

Value = TypeVar("Value")


def search_bytes(choices: int, samples: int, evaluations: int, candidates: int) -> int:
    """Bytes that the files of a search take at most.

    SQLite keeps a row of a store and its index, and a study's once more in the log that is
    written ahead; a row is the options' digits with commas, and six numbers beside them.
    """
    row = 6 * choices + 120
    return DOCUMENTS + 2 * evaluations * row + (samples + candidates) * row + candidates * POINT


def most_evaluations(options: SearchOptions, size: int) -> int:
    """How many networks a round in a space of so many evaluates at most."""
    most = min(options.evaluations, size)
    if options.minutes is None:
        return most
    return max(1, min(most, math.ceil(60 * options.minutes * MOST_SPEED)))


def round_seconds(options: SearchOptions, size: int) -> float:
    """About how long a round in a space of so many networks searches at most."""
    each = MODELLED.get(options.searcher, 1 / SPEED)
    seconds = min(options.evaluations, size) * each
    return seconds if options.minutes is None else min(seconds, 60 * options.minutes)


def search_seconds(
    trained: TrainedRun, rows: Population, candidates: int, budget_ms: float
) -> float | None:
    """About how long it takes to measure the accuracies that are not known of ``rows``
    [n, choices], and then accuracy and latency of ``candidates`` networks of ``budget_ms``.

    A run without images has no accuracies to measure; see ``rows_seconds`` for None.
    """
    networks = networks_seconds([budget_ms] * candidates)
    if not trained.has_images:
        return networks
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    seconds = rows_seconds(samples, trained.val_accuracy, rows, candidates)
    return None if seconds is None else seconds + networks


def rows_seconds(
    store: RowStore[Value],
    measure: Callable[[Population], Value],
    rows: Population,
    middling: int = 0,
) -> float | None:
    """About how long it takes to ``measure`` what ``store`` does not know of ``rows`` [n, choices],
    and so many ``middling`` networks.

    What was measured before tells how long others will take. Where there is nothing the space's two
    ends are timed, and kept, if ``rows`` have to be measured anyway; else nothing is run to tell
    it, and it is None.
    """
    space = store.space
    took = store.seconds()
    unknown = rows[[tuple(row.tolist()) not in took for row in rows]]
    if len(took) < TOLD_BY:
        if not len(unknown):
            return None
        ends = np.stack([space.smallest, space.largest])
        measure(ends[0])  # Weights and images are read before the clock starts.
        store.values(ends, measure, lambda done, of: None)
        took = store.seconds()
        unknown = rows[[tuple(row.tolist()) not in took for row in rows]]
    macs = space.macs(np.array(list(took)))
    slope, start = np.polyfit(macs, list(took.values()), 1)
    costs = np.full(middling, np.median(macs))
    if len(unknown):
        costs = np.concatenate([space.macs(unknown), costs])
    return float(np.maximum(start + slope * costs, 0).sum())
