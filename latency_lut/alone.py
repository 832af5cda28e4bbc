"""Networks run alone, a process each: what that takes of memory and energy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_lut.costs import MB, Costs, fitted
from latency_lut.plans import network_model
from latency_lut.populations import images, network_name, sample_at
from latency_lut.references import references
from latency_lut.seam import Device, Loaded
from search_spaces.space import Population, Space

NETWORKS = 12
POOL = 200
ENERGY_S = 0.3


def measure_costs(
    space: Space, device: Device, rng: np.random.Generator, resolutions: Sequence[int]
) -> Costs:
    """Run some networks of ``space``, spread over its ``resolutions``, alone in a process each.

    Raises ``DeviceError`` if the device fails.
    """
    measured = []
    for row in _spread(space, rng, resolutions):
        told = _told(_alone(space, device, row))
        measured.append((row, told))
        if all(figure is None for figure in told.values()):
            break  # It tells nothing of the others either.
    return fitted(space, measured)


def _spread(
    space: Space, rng: np.random.Generator, resolutions: Sequence[int]
) -> list[tuple[int, ...]]:
    """``NETWORKS`` rows at most, from the smallest to the largest of samples, sides in turn."""
    sides = list(images(space, resolutions))
    rows: list[tuple[int, ...]] = []
    for number, share in enumerate(np.linspace(0, 1, NETWORKS)):
        pool: Population = sample_at(space, sides[number % len(sides)], POOL, rng)
        order = np.argsort(space.parameters(pool), kind="stable")
        rows.append(tuple(pool[order[round(share * (len(order) - 1))]].tolist()))
    return list(dict.fromkeys(rows))


def _alone(space: Space, device: Device, row: tuple[int, ...]) -> Loaded:
    # In a process of its own, since what other sessions freed would be used again unseen; after
    # a small network, because the first session of a process also loads the runtime's code.
    plan = space.lower_row(row)
    model = network_model(network_name(plan.image.shape[-1], row), plan)
    with device.connect() as connection:
        list(connection.load([references()[0]], describe=False))
        (loaded,) = connection.load([model], describe=False, energy_s=ENERGY_S)
    return loaded


def _told(loaded: Loaded) -> dict[str, float | None]:
    memory = loaded.memory_bytes
    return {
        "peak_memory_mb": None if memory is None else memory / MB,
        "energy_mj": loaded.energy_mj,
    }
