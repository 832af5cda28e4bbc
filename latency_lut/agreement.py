"""A campaign whose halves agree, where that is to be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latency_lut.campaign import Effort, Report, collect
from latency_lut.journal import Journal
from latency_lut.latency import disagreement, latencies
from latency_lut.seam import Device, Model
from latency_lut.windows import Window

# What a table may have, at most.
HALVES = 0.03


def differ(
    windows: Sequence[Window], networks: Sequence[str], rounds: int, rng: np.random.Generator
) -> float:
    """By how much the halves of a campaign differ on ``networks``, by name; 0.01 for 1%."""
    measured = latencies(windows, rounds, rng)
    return disagreement([measured[name] for name in networks])


def settle(
    device: Device,
    models: Sequence[Model],
    networks: Sequence[str],
    effort: Effort,
    rng: np.random.Generator,
    journal: Journal,
    report: Report | None = None,
    allow_noisy: bool = False,
    references: Sequence[Model] | None = None,
) -> Effort:
    """``collect``; where the halves then disagree, once more as many rounds before giving up.

    Returns the effort that was taken in the end.
    """
    collect(device, models, effort, rng, journal, report, references=references)
    if allow_noisy or differ(journal.windows, networks, effort.rounds, rng) <= HALVES:
        return effort
    effort = replace(effort, rounds=2 * effort.rounds)
    collect(device, models, effort, rng, journal, report, references=references)
    return effort
