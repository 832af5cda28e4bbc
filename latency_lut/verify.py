"""Whether a table still holds: a part of it measured again, as after a driver's update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from latency_lut.accuracy import accuracy, mape
from latency_lut.campaign import Effort, Report, collect
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.journal import Journal
from latency_lut.latency import Latency, latencies
from latency_lut.plans import network_model
from latency_lut.populations import network_name
from latency_lut.seam import Device
from latency_lut.table import LatencyTable, Network
from latency_lut.verification import Verification
from search_spaces.errors import ArtefactError

SAMPLE = 10
"""Networks that are measured again at each resolution."""
MOVED = 0.03
"""How far times may have moved against each other: what the halves of a campaign may differ."""
WORSE = 1.5
"""How many times as far off as in its own campaign predictions may be."""
UPDATED = ("runtime", "system")
"""What an update changes in a fingerprint; anything else makes it another device."""


def verify(
    table: LatencyTable,
    device: Device,
    *,
    rng: np.random.Generator,
    effort: Effort | None = None,
    report: Report | None = None,
) -> Verification:
    """Measure ten networks of each resolution of ``table`` again, held-out ones first.

    Raises:
        ArtefactError: the device is another one, not the same after an update.
        DeviceError: the device fails; or the table has no networks to measure again.
    """
    here = device.fingerprint()
    require_updated(table.fingerprint, here)
    chosen = [network for side in table.fits for network in _sample(table, side, rng)]
    if not chosen:
        raise DeviceError("the latency table has no whole networks to measure again")
    names = [network_name(network.resolution, network.row) for network in chosen]
    models = [
        network_model(name, table.space.lower_row(network.row))
        for name, network in zip(names, chosen, strict=True)
    ]
    journal = Journal(None)
    effort = effort or Effort()
    collect(device, models, effort, rng, journal, report)
    today = latencies(journal.windows, effort.rounds, rng)
    return _judged(table, chosen, [today[name] for name in names], here)


def require_updated(table: Fingerprint, here: Fingerprint) -> None:
    """Raises ``ArtefactError`` where more differs than an update changes."""
    same = replace(here, **{name: getattr(table, name) for name in UPDATED})
    if differences := same.differences(table):
        raise ArtefactError(
            f"the latency table is of another device: {differences} (in the table); only the same "
            "device after an update can be verified, for this one measure a table"
        )


def _sample(table: LatencyTable, side: int, rng: np.random.Generator) -> Sequence[Network]:
    there = [network for network in table.networks if network.resolution == side]
    shuffled = [there[i] for i in rng.permutation(len(there))]
    return sorted(shuffled, key=lambda network: network.fitted)[:SAMPLE]


def _judged(
    table: LatencyTable, chosen: Sequence[Network], today: Sequence[Latency], here: Fingerprint
) -> Verification:
    then = np.array([network.latency.latency_ms for network in chosen])
    ratios = then / np.array([one.latency_ms for one in today])
    pace = float(np.median(ratios))
    moved = mape(ratios / pace, np.ones(len(ratios)))
    scored = [i for i, network in enumerate(chosen) if not network.fitted] or range(len(chosen))
    rows = np.array([chosen[i].row for i in scored])
    found = accuracy(table.predict(rows), None, [today[i].scaled(pace) for i in scored])
    usual = max((one.mape for one in table.accuracy.values()), default=0.0)
    return Verification(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=here,
        networks=len(chosen),
        pace=pace,
        moved=moved,
        mape=found.mape,
        kendall=found.kendall,
        repeat_noise=found.repeat_noise,
        holds=moved <= MOVED and found.mape <= max(MOVED, WORSE * usual),
    )
