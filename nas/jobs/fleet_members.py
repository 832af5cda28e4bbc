"""Which networks of a fleet's search are measured, and what is then known of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from latency_lut import Device, LatencyTable
from nas.engine import Engine
from nas.jobs import select
from nas.jobs.fleet_document import Member
from nas.jobs.guide import Guide
from nas.jobs.tables import identity_of
from nas.jobs.trained import TrainedRun
from nas.search import Fleet
from nas.search.fleet import fronts
from nas.search.searcher import Rows
from nas.terminal import Screen

__all__ = ["candidates_of", "members_of", "samples_of"]


def samples_of(folder: Path, name: str) -> Path:
    """Where the samples of candidates on a device are, as long as they are measured."""
    return folder / f"candidates.{name}"


def candidates_of(found: Fleet, n: int, beside: Rows) -> Rows:
    """About ``n`` rows: half those with the smallest worst regret, half of the devices' fronts.

    And those ``beside`` them [m, choices], each network once.
    """
    worst = found.regret.max(axis=1)
    joint = np.argsort(worst, kind="stable")[: (n + 1) // 2]
    picked = [found.compromise, *joint[np.isfinite(worst[joint])].tolist(), *found.best.tolist()]
    each = max(2, n // (2 * len(found.limits)))
    for device, front in enumerate(fronts(found.errors, found.latency_ms)):
        ms = found.latency_ms[front, device]
        within = front[ms <= found.most[device]]
        ms, error = found.latency_ms[within, device], found.errors[within]
        picked += within[select.candidates(ms, error, each)].tolist()
    rows = [*found.rows[picked].tolist(), *beside.tolist()]
    return np.array(list(dict.fromkeys(map(tuple, rows))), dtype=np.int64)


def members_of(
    trained: TrainedRun,
    tables: Mapping[str, LatencyTable],
    at_hand: Mapping[str, Device],
    guide: Guide,
    rows: Rows,
    folder: Path,
    screen: Screen,
    engine: Engine,
) -> list[Member]:
    """What is known of candidates: accuracy, measured once for all devices, where there are images;
    latency as predicted, and as measured on devices ``at_hand``. Samples are kept in ``folder``.
    """
    from nas.jobs.candidates import judged, measure_candidates

    belongs = {"guide": guide.identity, **trained.belongs()}
    timed = {}
    for name, device in at_hand.items():
        table, samples = tables[name], samples_of(folder, name)
        of = {**belongs, "table": identity_of(table)}
        timed[name] = measure_candidates(
            trained, table, guide, rows, [device], screen, table, samples, of, engine
        )
    scores = judged(trained, guide, rows, screen, engine)
    predicted = {name: table.predict(rows, return_std=True) for name, table in tables.items()}
    members = []
    for i, row in enumerate(rows):
        known = {name: one[i].latency for name, one in timed.items()}
        members.append(
            Member(
                tuple(row.tolist()),
                scores[i],
                {name: (float(ms[i]), float(std[i])) for name, (ms, std) in predicted.items()},
                {name: (one.latency_ms, one.error_ms) for name, one in known.items()},
            )
        )
    return members
