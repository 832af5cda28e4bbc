"""Latency tables of devices that nobody has, with prices that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import latency_lut
from latency_lut import LatencyTable, block_key
from latency_lut.costs import CostFit, Costs
from latency_lut.fit import LEADING, Posterior, Scales
from latency_lut.references import NAMES
from latency_lut.table import Campaign, Fit
from search_spaces import Space

START_MS = 0.02
COEFFICIENTS = (1.0, 2.0, 0.0, 5.0)
"""What costs are made of: a constant, megabytes of weights, live maps, GMACs."""


def made_up_table(
    space: Space, macs_per_ms: float = 1e8, costs: tuple[str, ...] = (), std: float = 0.01
) -> LatencyTable:
    """A layer takes its MACs and a network a start; ``costs`` are by ``COEFFICIENTS``."""
    fits = {}
    for image in space.images:
        specs = space.reachable(image)
        ms = np.array([START_MS, 0.0, *(spec.macs / macs_per_ms for spec in specs)])
        none = np.zeros((LEADING + len(specs), 1))
        posterior = Posterior(ms, std * ms, none, none.T, Scales(), 0.0)
        blocks = tuple(map(block_key, specs))
        fits[image.shape[-1]] = Fit(blocks, posterior, 1e9, (0.0,) * len(specs))
    campaign = Campaign("long ago", 1, 1, 0.0, 1.0, 0.0, False, dict.fromkeys(NAMES, 1.0))
    here = latency_lut.device("cpu").fingerprint()
    known = Costs((), {name: CostFit(COEFFICIENTS, 0.1) for name in costs}) if costs else None
    return LatencyTable(space, here, campaign, {}, (), fits, {}, (), costs=known)


def another_device(run: Path, name: str, slower: float = 1.0, energy: bool = False) -> Path:
    """A copy of a run's table, as of a device that is ``slower``; every other layer twice so."""
    document = json.loads((run / "latency" / "cpu.json").read_text())
    document["fingerprint"]["cpu"] = name
    for fit in document["fits"].values():
        fit["mean_ms"] = [
            slower * ms * (1 + number % 2) for number, ms in enumerate(fit["mean_ms"])
        ]
    if energy:
        document["costs"]["fits"]["energy_mj"] = {"coefficients": [0.5, 1, 0, 1e3], "mape": 0.1}
    path = run / "latency" / f"{name}.json"
    path.write_text(json.dumps(document))
    return path
