"""Measuring a table, and refusing to publish noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import entries as blocks
from latency_lut.agreement import HALVES, settle
from latency_lut.build import fit_resolution
from latency_lut.campaign import Effort, Report, kept
from latency_lut.conditions import Conditions
from latency_lut.errors import NoisyError
from latency_lut.fingerprint import Fingerprint
from latency_lut.journal import Journal
from latency_lut.latency import Latency, disagreement, latencies
from latency_lut.plans import HELD_OUT, WHOLE_NETWORKS, Cost, Plans, plan_table, plans_of
from latency_lut.populations import images, network_name
from latency_lut.references import NAMES
from latency_lut.seam import Device
from latency_lut.table import Campaign, LatencyTable, Network
from latency_lut.windows import DRIFT, offsets, paces, usual
from search_spaces.errors import ArtefactError
from search_spaces.space import Space

JOURNAL_VERSION = 4
STANDARD = Effort()

Finish = Callable[
    [
        Plans,
        Fingerprint,
        Journal,
        Effort,
        np.random.Generator,
        float,
        bool,
        Mapping[str, Conditions],
    ],
    LatencyTable,
]


def measure(
    space: Space,
    device: Device,
    *,
    rng: np.random.Generator,
    resolutions: Sequence[int] | None = None,
    effort: Effort = STANDARD,
    whole_networks: int = WHOLE_NETWORKS,
    held_out: int = HELD_OUT,
    announce: Callable[[Cost], None] | None = None,
    report: Report | None = None,
    folder: Path | None = None,
    allow_noisy: bool = False,
) -> LatencyTable:
    """Measure the table of ``space`` on ``device``.

    ``announce`` hears what is left to do before anything is timed or written; what it raises ends
    the campaign. ``report`` hears of progress. In ``folder`` samples are kept as they come, and a
    campaign that is there goes on; the folder can be deleted once the table is saved.
    ``allow_noisy`` publishes a table whose halves disagree, and the table says so.

    Raises:
        NoisyError: the halves of the campaign differ by more than 3%. Its samples are set aside,
            beside ``folder`` as ``*.noisy``: what was measured in a bad time would spoil the next
            campaign too.
        ArtefactError: the folder holds samples of another campaign, or another process measures
            into it.
        DeviceError: the device fails; what was measured is kept in the folder.
    """
    question = question_of(space, device, resolutions, whole_networks, held_out, effort)
    return campaign(
        space,
        device,
        question,
        lambda: plan_table(space, rng, resolutions, whole_networks, held_out),
        table_of,
        rng=rng,
        effort=effort,
        announce=announce,
        report=report,
        folder=folder,
        allow_noisy=allow_noisy,
    )


def question_of(
    space: Space,
    device: Device,
    resolutions: Sequence[int] | None,
    whole_networks: int,
    held_out: int,
    effort: Effort,
) -> dict[str, Any]:
    """What a campaign measures, as JSON: samples are only gone on with for the same question."""
    return {
        "version": JOURNAL_VERSION,
        "space": space.identity,
        "fingerprint": device.fingerprint().to_dict(),
        "resolutions": list(images(space, resolutions)),
        "whole_networks": whole_networks,
        "held_out": held_out,
        "rounds": effort.rounds,
        "runs": effort.runs,
    }


def campaign(
    space: Space,
    device: Device,
    question: dict[str, Any],
    plan: Callable[[], Plans],
    finish: Finish,
    *,
    rng: np.random.Generator,
    effort: Effort,
    announce: Callable[[Cost], None] | None = None,
    report: Report | None = None,
    folder: Path | None = None,
    allow_noisy: bool = False,
) -> LatencyTable:
    """Measure what ``plan`` or the samples in ``folder`` say; ``finish`` makes the table of it.

    The rest is as for ``measure``.
    """
    with closing(Journal(folder)) as journal:
        header = journal.header()
        if header is None:
            plans = plan()
        else:
            # First: another process that measures there has the folder, whatever it measures.
            journal.resume()
            plans = _resumed(space, header, question, folder)
        if announce is not None:
            announce(_left(plans, effort, journal))
        if header is None:
            journal.begin({**question, "networks": plans.document()})
        before, names = device.conditions(), plans.network_names
        effort = settle(device, plans.models, names, effort, rng, journal, report, allow_noisy)
        seconds = journal.seconds
        conditions = {"before": before, "after": device.conditions()}
        here = device.fingerprint()
        try:
            return finish(plans, here, journal, effort, rng, seconds, allow_noisy, conditions)
        except NoisyError as error:
            aside = journal.set_aside()
            if aside is None:
                raise
            raise NoisyError(
                f"{error}. The samples are set aside in {aside}; the next campaign starts afresh"
            ) from None


def _left(plans: Plans, effort: Effort, journal: Journal) -> Cost:
    cost = plans.cost(effort)
    visits = cost.visits - kept(plans.models, journal, effort.rounds)
    share = visits / cost.visits
    return Cost(visits, share * cost.seconds, math.ceil(share * cost.bytes))


def _resumed(
    space: Space, header: dict[str, Any], question: dict[str, Any], folder: Path | None
) -> Plans:
    differing = [name for name in question if header.get(name) != question[name]]
    if differing:
        said = "; ".join(f"{n} {header.get(n)!r} there, {question[n]!r} here" for n in differing)
        raise ArtefactError(
            f"{folder}: the samples there are of another campaign ({said}); finish that one with "
            "its own options, or delete the folder"
        )
    plans = plans_of(space, header["networks"])
    # With donors no blocks are measured.
    return Plans(space, {}, plans.networks) if "donors" in question else plans


def table_of(
    plans: Plans,
    fingerprint: Fingerprint,
    journal: Journal,
    effort: Effort,
    rng: np.random.Generator,
    seconds: float,
    allow_noisy: bool = False,
    conditions: Mapping[str, Conditions] | None = None,
) -> LatencyTable:
    """The table of the samples in ``journal``. Raises ``NoisyError`` as ``measure`` does."""
    measured, networks, account = evaluated(
        plans, journal, effort, rng, seconds, allow_noisy, conditions
    )
    entries = blocks.entries(plans.specs_once, measured, journal.loaded)
    fits, figures = {}, {}
    for side, specs in plans.specs.items():
        here = [network for network in networks if network.resolution == side]
        fits[side], found = fit_resolution(plans.space, specs, entries, here)
        if found is not None:
            figures[side] = found
    windows = tuple(journal.windows)
    return LatencyTable(
        plans.space, fingerprint, account, entries, networks, fits, figures, windows
    )


def evaluated(
    plans: Plans,
    journal: Journal,
    effort: Effort,
    rng: np.random.Generator,
    seconds: float,
    allow_noisy: bool,
    conditions: Mapping[str, Conditions] | None,
) -> tuple[dict[str, Latency], tuple[Network, ...], Campaign]:
    """The latency of every model, the whole networks, and the account of the campaign.

    Raises ``NoisyError`` as ``measure`` does.
    """
    windows = journal.windows
    measured = latencies(windows, effort.rounds, rng)
    steady = float((offsets(paces(windows, usual(windows))) <= DRIFT).mean())
    networks = tuple(
        Network(side, row, fitted, measured[network_name(side, row)])
        for side, chosen in plans.networks.items()
        for fitted, rows in ((True, chosen.fitted), (False, chosen.held_out))
        for row in rows
    )
    differ = disagreement([measured[name] for name in plans.network_names])
    if differ > HALVES and not allow_noisy:
        raise NoisyError(_too_noisy(differ, steady, len(windows)))
    account = Campaign(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        rounds=effort.rounds,
        runs=effort.runs,
        seconds=round(seconds, 1),
        steady=steady,
        disagreement=differ,
        noisy=differ > HALVES,
        usual_ms=dict(zip(NAMES, usual(windows).tolist(), strict=True)),
        conditions=conditions or {},
    )
    return measured, networks, account


def _too_noisy(differ: float, steady: float, windows: int) -> str:
    return (
        f"the two halves of the campaign differ by {differ:.2%} on the same networks, more than "
        f"the {HALVES:.0%} that a table may; the reference networks kept still in {steady:.0%} of "
        f"{windows} windows. Nothing is published: stop what else runs on the device, let it cool "
        "down, and measure again, with more rounds if that does not help; or allow a noisy table "
        "(--allow-noisy)"
    )
