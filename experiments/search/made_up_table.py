"""Latency tables of spaces that nobody measured."""

from __future__ import annotations

import numpy as np

import latency_lut
from latency_lut import LatencyTable
from latency_lut.entries import block_key
from latency_lut.fit import LEADING, Posterior, Scales
from latency_lut.table import Campaign, Fit
from search_spaces import Space


def made_up(space: Space) -> LatencyTable:
    """Layers take a start, their MACs at a pace of their kind, and half of it by chance.

    Weights above 20 MB are paid for, so that the table is no plain sum.
    """
    rng = np.random.default_rng(2)
    fits = {}
    for image in space.images:
        specs = space.reachable(image)
        gmacs = np.array([spec.macs / 1e9 for spec in specs])
        pace = {kind: rng.uniform(20, 60) for kind in sorted({type(s).__name__ for s in specs})}
        ms = np.array(
            [0.01 + g * pace[type(s).__name__] for g, s in zip(gmacs, specs, strict=True)]
        )
        ms *= rng.uniform(0.5, 1.5, len(specs))
        means = np.array([0.3, 0.1, *ms])
        none = np.zeros((LEADING + len(specs), 1))
        posterior = Posterior(means, 0.01 * means, none, none.T, Scales(), 0.0)
        blocks = tuple(map(block_key, specs))
        fits[image.shape[-1]] = Fit(blocks, posterior, 20.0, (0.0,) * len(specs))
    campaign = Campaign("made up", 1, 1, 0.0, 1.0, 0.0, False, {})
    here = latency_lut.device("cpu").fingerprint()
    return LatencyTable(space, here, campaign, {}, (), fits, {}, ())
