"""The least latency that a space can reach, to answer an infeasible budget at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from latency_lut.populations import resolutions_of, sample_at
from search_spaces.space import Population, Space

if TYPE_CHECKING:
    from latency_lut.table import LatencyTable

SAMPLES = 512
STARTS = 8


def neighbours(space: Space, row: Population) -> Population:
    """All canonical rows that differ from ``row`` in one choice: [neighbours, choices]."""
    rows = [
        np.where(np.arange(len(row)) == column, option, row)
        for column, choice in enumerate(space.choices)
        for option in range(len(choice.values))
        if option != row[column]
    ]
    return np.unique(space.canonical(np.array(rows)), axis=0)


def smallest(table: LatencyTable, rng: np.random.Generator) -> tuple[Population, float]:
    """The fastest row that was found and its predicted ``latency_ms``.

    Descends by single choices from the space's smallest row and from the fastest of a sample in
    every resolution. Times of layers are sums, so a local minimum is rarely far from the least;
    it is always a network that exists.
    """
    space = table.space
    found = [_descend(table, row) for row in _starts(table, table.fits, rng)]
    row, ms = min(found, key=lambda pair: pair[1])
    return space.canonical(row[None])[0], ms


def _starts(table: LatencyTable, sides: Mapping[int, Any], rng: np.random.Generator) -> Population:
    starts = [table.space.smallest[None]]
    for side in sides:
        rows = sample_at(table.space, side, SAMPLES, rng)
        starts.append(rows[np.argsort(table.predict(rows), kind="stable")[:STARTS]])
    return _measured(table, np.concatenate(starts))


def _measured(table: LatencyTable, rows: Population) -> Population:
    sides = resolutions_of(table.space, table.space.index(rows))
    return rows[np.isin(sides, list(table.fits))]


def _descend(table: LatencyTable, row: Population) -> tuple[Population, float]:
    ms = float(table.predict(row[None])[0])
    while True:
        rows = _measured(table, neighbours(table.space, row))
        predicted = table.predict(rows)
        best = int(np.argmin(predicted))
        if not predicted[best] < ms:
            return row, ms
        row, ms = rows[best], float(predicted[best])
