"""What is timed for a table: blocks in context and whole networks."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latency_lut import entries as blocks
from latency_lut.arrays import Floats
from latency_lut.build import design_matrix, prior_of
from latency_lut.campaign import Effort, estimate_s, runs_of
from latency_lut.design import d_optimal, strata
from latency_lut.fit import Prior
from latency_lut.populations import images, network_name, sample_at
from latency_lut.seam import Model
from latency_lut.spill import BYTES_PER_WEIGHT
from search_spaces.errors import ConfigError
from search_spaces.plan import Plan
from search_spaces.space import Space
from search_spaces.specs import LayerSpec

# For each resolution: networks that the fit sees, and networks that tell how good it is.
WHOLE_NETWORKS, HELD_OUT = 25, 15
CANDIDATES = 600
# What a design needs to know of entries before they are measured: about 10 GMAC/s and 2 us each,
# and a megabyte of weights near the core.
GUESS_MS, GUESS_MS_PER_MAC, GUESS_THRESHOLD_MB = 0.002, 1e-7, 1.0

# Where the machine never keeps still a campaign ends after so many times the visits: 7 until all
# legs are tired, and 14 more once it is given twice the rounds (campaign.PATIENCE, agreement).
BUSY = 21
# A visit as text with its part of a window, and each of its runs: in samples (besides the model's
# name) and in a table.
VISIT_BYTES, RUN_BYTES = 120, 22

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Networks:
    """The whole networks of one resolution: rows for the fit and rows held out."""

    fitted: Rows
    held_out: Rows


@dataclass(frozen=True)
class Cost:
    """What a campaign takes: visits and about how many seconds on a quiet machine; at most so many
    bytes for samples and table, on a busy one.
    """

    visits: int
    seconds: float
    bytes: int


def cost_of(models: Sequence[Model], effort: Effort) -> Cost:
    """What a campaign over ``models`` takes from the start, a table of it aside."""
    visits = effort.rounds * len(models)
    names = sum(len(model.name) for model in models)
    runs = sum(effort.rounds * runs_of(model, effort.runs) for model in models)
    samples = BUSY * (effort.rounds * names + VISIT_BYTES * visits + RUN_BYTES * runs)
    return Cost(visits, estimate_s(models, effort), samples)


@dataclass(frozen=True, eq=False)
class Plans:
    """All that a table of ``space`` asks to be timed."""

    space: Space
    specs: Mapping[int, tuple[LayerSpec, ...]]
    networks: Mapping[int, Networks]

    @property
    def specs_once(self) -> tuple[LayerSpec, ...]:
        """The specs of all resolutions, each once."""
        return tuple(dict.fromkeys(spec for specs in self.specs.values() for spec in specs))

    @property
    def network_names(self) -> tuple[str, ...]:
        """The names of the whole networks' models."""
        return tuple(
            network_name(side, row)
            for side, networks in self.networks.items()
            for row in (*networks.fitted, *networks.held_out)
        )

    @functools.cached_property
    def models(self) -> tuple[Model, ...]:
        """Blocks in context, each distinct one once, and whole networks."""
        whole = [
            network_model(network_name(side, row), self.space.lower_row(row))
            for side, networks in self.networks.items()
            for row in (*networks.fitted, *networks.held_out)
        ]
        return (*blocks.models(self.specs_once), *whole)

    def document(self) -> dict[str, Any]:
        """The networks as JSON, from which ``plans_of`` makes the plans again."""
        return {
            str(side): {"fitted": list(one.fitted), "held_out": list(one.held_out)}
            for side, one in self.networks.items()
        }

    def cost(self, effort: Effort) -> Cost:
        """What measuring takes from the start."""
        models = self.models
        timed = cost_of(models, effort)
        names = sum(len(model.name) for model in models)
        fits = sum(len(specs) for specs in self.specs.values()) * len(self.network_names)
        table = names + 500 * len(models) + 1000 * len(self.specs_once) + 20 * fits
        return replace(timed, bytes=timed.bytes + table)


def plans_of(space: Space, document: Mapping[str, Any]) -> Plans:
    """The inverse of ``Plans.document``; raises ``SpaceError`` for another space's resolution."""
    networks = {
        int(side): Networks(*(tuple(map(tuple, one[part])) for part in ("fitted", "held_out")))
        for side, one in document.items()
    }
    sides = images(space, tuple(networks))
    return Plans(space, {side: space.reachable(sides[side]) for side in networks}, networks)


def plan_table(
    space: Space,
    rng: np.random.Generator,
    resolutions: Sequence[int] | None = None,
    whole_networks: int = WHOLE_NETWORKS,
    held_out: int = HELD_OUT,
) -> Plans:
    """What to time for a table: all blocks that networks have, and some whole networks.

    For each resolution ``held_out`` random networks (uniform over choices), which only tell how
    good the table is, and ``whole_networks``, one of each quantile of guessed time, chosen among
    random ones as those that determine the table best.
    Raises ``SpaceError`` for a resolution that the space does not have, ``ConfigError`` for fewer
    than 3 networks to fit.
    """
    if whole_networks < 3 or held_out < 0:
        raise ConfigError(
            "a table is fitted to 3 whole networks or more, with 0 or more held out; got "
            f"{whole_networks} and {held_out}"
        )
    sides = images(space, resolutions)
    specs = {side: space.reachable(image) for side, image in sides.items()}
    networks = {
        side: _choose(space, side, specs[side], rng, whole_networks, held_out) for side in sides
    }
    return Plans(space, specs, networks)


def _choose(
    space: Space,
    side: int,
    specs: Sequence[LayerSpec],
    rng: np.random.Generator,
    whole_networks: int,
    held_out: int,
) -> Networks:
    rows = [tuple(row) for row in sample_at(space, side, CANDIDATES + held_out, rng).tolist()]
    # A space of few networks has none to spare: half of them at most are held out.
    held = rows[: min(held_out, len(rows) // 2)]
    candidates = rows[len(held) :]
    design, prior = guessed(space, specs, candidates)
    chosen = d_optimal(design, prior, strata(design @ prior.mean_ms, whole_networks))
    return Networks(tuple(candidates[i] for i in chosen), tuple(held))


def guessed(
    space: Space, specs: Sequence[LayerSpec], rows: Sequence[tuple[int, ...]]
) -> tuple[Floats, Prior]:
    """The design [rows, parameters] and the prior of a fit before anything is measured."""
    guess = np.array([GUESS_MS + GUESS_MS_PER_MAC * spec.macs for spec in specs])
    design = design_matrix(space, specs, rows, 0 * guess, GUESS_THRESHOLD_MB)
    return design, prior_of(specs, guess, 0 * guess, design)


def network_model(name: str, plan: Plan) -> Model:
    """A network of random weights, which follow from its name; batch 1, normalised input."""

    def content() -> bytes:
        from search_spaces.onnx import random_plan_weights, write

        rng = np.random.default_rng(zlib.crc32(name.encode()))
        return write(plan, random_plan_weights(plan, rng)).SerializeToString()

    return Model(
        name,
        content,
        size=BYTES_PER_WEIGHT * plan.params,
        guess_ms=0.01 + plan.macs * GUESS_MS_PER_MAC,
    )
