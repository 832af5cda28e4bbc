"""Measurements that come later flow back into a table's fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latency_lut.build import design_matrix, fit_resolution
from latency_lut.fit import Observations, conditioned
from latency_lut.populations import images
from latency_lut.table import Fit, LatencyTable, Network
from search_spaces.space import Space
from search_spaces.specs import LayerSpec


def refined(table: LatencyTable, measured: Sequence[Network]) -> LatencyTable:
    """``table`` fitted anew, to networks ``measured`` at its pace beside those that it had.

    Its predictions are then for the campaign that measured them: should that differ from the
    table's by a factor, they follow it. Only resolutions that ``measured`` has are fitted again;
    their held-out error is that of the new fit, on networks that neither saw. A fit that comes from
    donors has no measured blocks to begin from: it learns from the networks what they add to it,
    and its error stays that of before.

    Raises ``ArtefactError`` for a network on images that the table has no fit for.
    """
    sides = sorted({network.resolution for network in measured})
    table.require_resolutions(sides)
    fits: dict[int, Fit] = dict(table.fits)
    accuracy = dict(table.accuracy)
    for side, image in images(table.space, sides).items():
        before = [network for network in table.networks if network.resolution == side]
        here = [network for network in measured if network.resolution == side]
        specs = table.space.reachable(image)
        if side in table.donors:
            fits[side] = _conditioned(table.space, table.fits[side], specs, here)
            continue
        earlier = table.fits[side].threshold_mb, before
        fits[side], found = fit_resolution(table.space, specs, table.entries, here, earlier)
        if found is not None:
            accuracy[side] = found
    return replace(table, networks=(*table.networks, *measured), fits=fits, accuracy=accuracy)


def _conditioned(
    space: Space, fit: Fit, specs: Sequence[LayerSpec], measured: Sequence[Network]
) -> Fit:
    rows = [network.row for network in measured]
    seen = Observations(
        design_matrix(space, specs, rows, np.array(fit.spilled_mb), fit.threshold_mb),
        np.array([network.latency.latency_ms for network in measured]),
        np.array([network.latency.error_ms for network in measured]),
        np.ones(len(measured), dtype=np.bool_),
    )
    return replace(fit, posterior=conditioned(fit.posterior, seen))
