"""Whether a table still holds: a part of it measured again, as after a driver's update."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from latency_lut.accuracy import accuracy, mape
from latency_lut.agreement import HALVES, settle
from latency_lut.campaign import Effort, Report
from latency_lut.errors import DeviceError, NoisyError
from latency_lut.fingerprint import Fingerprint
from latency_lut.journal import Journal
from latency_lut.latency import Latency, disagreement, latencies
from latency_lut.plans import Cost, cost_of, network_model
from latency_lut.populations import network_name
from latency_lut.seam import Device
from latency_lut.table import LatencyTable, Network
from latency_lut.verification import Verification, same_pace
from search_spaces.errors import ArtefactError

SAMPLE = 10
"""Networks that are measured again at each resolution."""
MOVED = 0.03
"""How far times may have moved against each other: what the halves of a campaign may differ."""
WORSE = 1.5
"""How many times as far off as in its own campaign predictions may be."""


def verify(
    table: LatencyTable,
    device: Device,
    *,
    rng: np.random.Generator,
    effort: Effort | None = None,
    announce: Callable[[Cost], None] | None = None,
    report: Report | None = None,
    folder: Path | None = None,
) -> Verification:
    """Measure ten networks of each resolution of ``table`` again, held-out ones first.

    ``announce`` hears what that takes from the start before anything is timed; what it raises ends
    it. What ``folder`` holds of the same verification, which was interrupted, is not measured
    again; it is gone in the end.

    Raises:
        ArtefactError: the device is another one, not the same after an update.
        DeviceError: the device fails; or the table has no networks to measure again.
        NoisyError: the halves of the campaign differ by more than 3%.
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
    effort = effort or Effort()
    if announce is not None:
        announce(cost_of(models, effort))
    with closing(Journal(folder)) as journal:
        journal.go_on({"verify": table.fingerprint.device, "here": asdict(here), "networks": names})
        effort = settle(device, models, names, effort, rng, journal, report)
        journal.discard()
    today = latencies(journal.windows, effort.rounds, rng)
    noise = disagreement([today[name] for name in names])
    if noise > HALVES:
        raise NoisyError(
            f"the two halves of the verification differ by {noise:.1%} on the same networks, more "
            f"than {HALVES:.0%}: nothing can be said of the table. Stop what else runs on the "
            "device, let it cool down, and verify again"
        )
    return _judged(table, chosen, [today[name] for name in names], here)


def require_updated(table: Fingerprint, here: Fingerprint) -> None:
    """Raises ``ArtefactError`` where more differs than an update changes."""
    if not table.same_place(here):
        raise ArtefactError(
            f"the latency table is of another device: {here.differences(table)} (in the table); "
            "only the same "
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
    # A resolution's own: large networks do not slow down by as much as small ones.
    sides = np.array([network.resolution for network in chosen])
    paces = np.array([np.median(ratios[sides == side]) for side in sides])
    moved = mape(ratios / paces, np.ones(len(ratios)))
    scored = [i for i, network in enumerate(chosen) if not network.fitted] or range(len(chosen))
    rows = np.array([chosen[i].row for i in scored])
    found = accuracy(table.predict(rows), None, [today[i].scaled(float(paces[i])) for i in scored])
    usual = max((one.mape for one in table.accuracy.values()), default=0.0)
    pace = float(max(paces, key=lambda one: abs(math.log(one))))
    same = here == table.fingerprint or same_pace(pace)
    return Verification(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=here,
        networks=len(chosen),
        pace=pace,
        moved=moved,
        mape=found.mape,
        kendall=found.kendall,
        repeat_noise=found.repeat_noise,
        holds=same and moved <= MOVED and found.mape <= max(MOVED, WORSE * usual),
    )
