"""One table from campaigns on different resolutions: each is fitted on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from latency_lut.entries import Entry
from latency_lut.references import pace_between
from latency_lut.table import Fit, Further, LatencyTable, Network
from search_spaces.errors import ArtefactError

T = TypeVar("T")


def merged(table: LatencyTable, newer: LatencyTable) -> LatencyTable:
    """``table`` with the resolutions of ``newer``, in place of those that both have.

    All times of ``newer`` are brought to the pace of ``table``, by the reference networks: one
    table compares networks of all its resolutions, and the machine may have been slower in one
    campaign than in the other. Entries that both have are the newer's. Samples of both are kept
    as they came. A ``newer`` that has all resolutions of ``table`` takes its place.

    Raises ``ArtefactError``: they are of different devices or spaces.
    """
    table.fingerprint.require(newer.fingerprint)
    if table.space.identity != newer.space.identity:
        raise ArtefactError(
            f"the latency tables are of different spaces ({table.space.identity[:12]} and "
            f"{newer.space.identity[:12]}); keep them in different files"
        )
    if set(newer.fits) >= set(table.fits):
        return newer
    pace = pace_between(table.campaign.usual_ms, newer.campaign.usual_ms)
    networks = [one for one in table.networks if one.resolution not in newer.fits]
    added = Further(newer.campaign, tuple(newer.fits), pace, newer.windows)
    return replace(
        table,
        entries={
            **table.entries,
            **{key: _entry(entry, pace) for key, entry in newer.entries.items()},
        },
        networks=(*networks, *(_network(one, pace) for one in newer.networks)),
        fits=_sorted({**table.fits, **{side: _fit(f, pace) for side, f in newer.fits.items()}}),
        accuracy=_sorted(
            {
                **{side: a for side, a in table.accuracy.items() if side not in newer.fits},
                **newer.accuracy,
            }
        ),
        further=(*_still_needed(table.further, newer), added),
        donors=_sorted(
            {
                **{side: d for side, d in table.donors.items() if side not in newer.fits},
                **newer.donors,
            }
        ),
        costs=newer.costs or table.costs,
    )


def _still_needed(further: tuple[Further, ...], newer: LatencyTable) -> list[Further]:
    """Earlier additions, less the resolutions that were measured again."""
    left = [
        replace(one, resolutions=tuple(r for r in one.resolutions if r not in newer.fits))
        for one in further
    ]
    return [one for one in left if one.resolutions]


def _sorted(by_resolution: Mapping[int, T]) -> dict[int, T]:
    return dict(sorted(by_resolution.items()))


def _entry(entry: Entry, pace: float) -> Entry:
    return replace(entry, ms=pace * entry.ms, error_ms=pace * entry.error_ms)


def _network(network: Network, pace: float) -> Network:
    return replace(network, latency=network.latency.scaled(pace))


def _fit(fit: Fit, pace: float) -> Fit:
    own = fit.posterior
    posterior = replace(
        own,
        mean_ms=pace * own.mean_ms,
        own_ms=pace * own.own_ms,
        shared_ms=pace * own.shared_ms,
        gain_ms=pace * own.gain_ms,
    )
    return replace(fit, posterior=posterior)
