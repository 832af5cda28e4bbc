"""Networks run alone, a process each: what that takes of memory and energy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_lut.costs import MB, Costs, fitted
from latency_lut.plans import network_model
from latency_lut.populations import images, network_name, sample_at
from latency_lut.references import references
from latency_lut.seam import Device, Loaded, Model
from search_spaces.space import Population, Space

COST_NETWORKS = 12
POOL = 200
ENERGY_S = 0.3
PROCESS_S = 1.0
"""A guess, to the order: a fresh process that loads ONNX Runtime and one network."""
COSTS_S = COST_NETWORKS * (PROCESS_S + ENERGY_S)
"""About how many seconds ``measure_costs`` takes at most."""


def run_alone(model: Model, device: Device, energy_s: float = 0.0) -> Loaded:
    """Load and run one model in a process of its own: what other sessions freed there would be
    used again unseen. After a small network, for the first session of a process also loads the
    runtime's code.
    """
    with device.connect() as connection:
        list(connection.load([references()[0]], describe=False))
        (loaded,) = connection.load([model], describe=False, energy_s=energy_s)
    return loaded


def measure_costs(
    space: Space, device: Device, rng: np.random.Generator, resolutions: Sequence[int]
) -> Costs:
    """Run some networks of ``space``, spread over its ``resolutions``, alone in a process each.

    Raises ``DeviceError`` if the device fails.
    """
    measured = []
    for row in spread(space, rng, resolutions):
        plan = space.lower_row(row)
        model = network_model(network_name(plan.image.shape[-1], row), plan)
        told = _told(run_alone(model, device, ENERGY_S))
        measured.append((row, told))
        if all(figure is None for figure in told.values()):
            break  # It tells nothing of the others either.
    return fitted(space, measured)


def spread(
    space: Space, rng: np.random.Generator, resolutions: Sequence[int]
) -> list[tuple[int, ...]]:
    """``COST_NETWORKS`` rows at most, from the smallest to the largest of samples.

    Sides are spread over all resolutions, and shuffled: size and side are to be told apart.
    """
    sides = list(images(space, resolutions))
    few = min(COST_NETWORKS, len(sides))
    chosen = [sides[round(i)] for i in np.linspace(0, len(sides) - 1, few)]
    pools: dict[int, Population] = {}
    for side in chosen:
        pool = sample_at(space, side, POOL, rng)
        pools[side] = pool[np.argsort(space.parameters(pool), kind="stable")]
    shares = np.linspace(0, 1, COST_NETWORKS)
    rows = []
    for number, share in zip(rng.permutation(COST_NETWORKS), shares, strict=True):
        pool = pools[chosen[number % few]]
        rows.append(tuple(pool[round(share * (len(pool) - 1))].tolist()))
    return list(dict.fromkeys(rows))


def _told(loaded: Loaded) -> dict[str, float | None]:
    memory = loaded.memory_bytes
    return {
        "peak_memory_mb": None if memory is None else memory / MB,
        "energy_mj": loaded.energy_mj,
    }
