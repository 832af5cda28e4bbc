"""Measuring a few whole networks of a new device, and the table that donors make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from latency_lut.campaign import Effort, Report
from latency_lut.conditions import Conditions
from latency_lut.fingerprint import Fingerprint
from latency_lut.journal import Journal
from latency_lut.measure import STANDARD, campaign, evaluated, question_of
from latency_lut.plans import Cost, Networks, Plans
from latency_lut.seam import Device
from latency_lut.table import Donor, LatencyTable
from latency_lut.transfer.tables import Donors
from latency_lut.transfer.transfer import LEAST
from search_spaces.errors import ConfigError
from search_spaces.space import Space

SAMPLES = 10


def measure_from_donors(
    space: Space,
    device: Device,
    tables: Sequence[LatencyTable],
    *,
    rng: np.random.Generator,
    samples: int = SAMPLES,
    resolutions: Sequence[int] | None = None,
    effort: Effort = STANDARD,
    announce: Callable[[Cost], None] | None = None,
    report: Report | None = None,
    folder: Path | None = None,
    allow_noisy: bool = False,
) -> LatencyTable:
    """A table of ``device`` from ``samples`` whole networks at each resolution and from donors.

    ``tables`` are of ``space`` on other devices, ``resolutions`` by default all that every one of
    them has. The rest is as for ``latency_lut.measure``, errors included.

    Raises:
        ConfigError: no donors, fewer than 3 samples, or a donor of this very device.
        ArtefactError: a donor lacks a resolution.
    """
    if not tables or samples < LEAST:
        raise ConfigError(
            f"a table from donors takes one table of another device or more, and {LEAST} samples "
            f"or more; got {len(tables)} tables and {samples} samples"
        )
    for table in tables:
        if not device.fingerprint().differences(table.fingerprint):
            raise ConfigError(
                f"a donor is a table of another device; the one of {table.campaign.when} is of "
                f"this device, {device.name}: use it as it is"
            )
    donors = Donors(space, tuple(tables))
    sides = donors.resolutions(resolutions)
    origin = tuple(Donor(table.fingerprint, table.campaign.when) for table in tables)

    def plan() -> Plans:
        chosen = {side: Networks(donors.choose(side, samples, rng), ()) for side in sides}
        return Plans(space, {}, chosen)

    def finish(
        plans: Plans,
        fingerprint: Fingerprint,
        journal: Journal,
        effort: Effort,
        rng: np.random.Generator,
        seconds: float,
        allow_noisy: bool,
        conditions: Mapping[str, Conditions],
    ) -> LatencyTable:
        _, networks, account = evaluated(
            plans, journal, effort, rng, seconds, allow_noisy, conditions
        )
        fits, figures = {}, {}
        for side in plans.networks:
            here = [network for network in networks if network.resolution == side]
            fits[side], found = donors.fit(side, here, rng)
            if found is not None:
                figures[side] = found
        return LatencyTable(
            space,
            fingerprint,
            account,
            {},
            networks,
            fits,
            figures,
            tuple(journal.windows),
            donors=dict.fromkeys(fits, origin),
        )

    question = question_of(space, device, sides, samples, 0, effort)
    question["donors"] = [asdict(one) for one in origin]
    return campaign(
        space,
        device,
        question,
        plan,
        finish,
        rng=rng,
        effort=effort,
        announce=announce,
        report=report,
        folder=folder,
        allow_noisy=allow_noisy,
    )
