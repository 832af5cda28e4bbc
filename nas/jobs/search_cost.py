"""How long a search will take and how much disk it needs, told before it starts."""

from __future__ import annotations

import math

import numpy as np

from latency_lut import networks_seconds
from nas.jobs.budget import SearchOptions
from nas.jobs.samples import Samples
from nas.jobs.trained import TrainedRun
from search_spaces.space import Population

__all__ = ["most_evaluations", "round_seconds", "search_bytes", "search_seconds"]

DOCUMENTS = 1 << 18
"""Bytes of front.json and best.json but for the points of the front."""
POINT = 1 << 13
SPEED, MOST_SPEED = 20_000, 30_000
"""Evaluations a second of a round: about, and at most. Predictions are all that is evaluated."""
MODELLED = {"linas": 0.1, "mobo": 0.1}
"""Seconds an evaluation by searchers that fit models of their own, about."""
TOLD_BY = 2
"""Accuracies whose times tell that of others, by a line over MACs."""


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
    """About how long it takes to measure what is not known of ``rows`` [n, choices], and then
    ``candidates`` networks of ``budget_ms``.

    Accuracies that were measured before tell how long others will take. Where there are none the
    space's two ends are timed, and kept, if ``rows`` have to be measured anyway; else nothing is
    run to tell it, and it is None. A run without images has no accuracies to measure.
    """
    networks = networks_seconds([budget_ms] * candidates)
    if not trained.has_images:
        return networks
    space = trained.space
    samples = Samples(trained.run.samples, space, trained.belongs())
    took = samples.seconds()
    unknown = rows[[tuple(row.tolist()) not in took for row in rows]]
    if len(took) < TOLD_BY:
        if not len(unknown):
            return None
        ends = np.stack([space.smallest, space.largest])
        trained.val_accuracy(ends[0])  # Weights and images are read before the clock starts.
        samples.measure(ends, trained.val_accuracy, lambda done, of: None)
        took = samples.seconds()
    macs = space.macs(np.array(list(took)))
    slope, start = np.polyfit(macs, list(took.values()), 1)
    middling = np.full(candidates, np.median(macs))
    costs = np.concatenate([space.macs(unknown), middling]) if len(unknown) else middling
    return float(np.maximum(start + slope * costs, 0).sum()) + networks
