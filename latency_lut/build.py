"""From raw samples to a table: entries, fit, held-out error. Pure: no device, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from latency_lut.accuracy import Accuracy, accuracy
from latency_lut.arrays import Floats
from latency_lut.entries import Entry, block_key
from latency_lut.fit import LEADING, Observations, Prior, fit, predict
from latency_lut.populations import counts, sample_at
from latency_lut.spill import spill, thresholds, weights_mb
from latency_lut.table import Fit, Network
from search_spaces.space import Space
from search_spaces.specs import LayerSpec

# Random networks that the width of intervals is made for.
ELSEWHERE = 200


def kind(spec: LayerSpec) -> tuple[object, ...]:
    """What blocks of one kind share: their class, stride and residual, and the size of the map."""
    named = {f.name: getattr(spec, f.name) for f in fields(spec)}
    side = spec.inputs[0].shape[-1]
    return (type(spec).__name__, named.get("stride"), named.get("residual"), side)


def prior_of(specs: Sequence[LayerSpec], ms: Floats, error_ms: Floats, design: Floats) -> Prior:
    """The prior of entries [specs], with the leading parameters before them.

    These have mean 0 and may make up a tenth (the intercept: what the ends of a network leave
    over) and a half (the price of spilled weights) of the median network of ``design``.
    """
    kinds: dict[tuple[object, ...], int] = {}
    groups = [-1] * LEADING + [kinds.setdefault(kind(spec), len(kinds)) for spec in specs]
    median = float(np.median(design[:, LEADING:] @ ms))
    weights = float(np.median(design[:, LEADING:] @ [weights_mb(spec) for spec in specs]))
    leading = [0.1 * median, 0.5 * median / weights]
    mean, error = np.concatenate([[0.0] * LEADING, ms]), np.concatenate([leading, error_ms])
    return Prior(mean, error, np.array(groups, dtype=np.int64))


def design_matrix(
    space: Space,
    specs: Sequence[LayerSpec],
    rows: Sequence[Sequence[int]],
    spilled: Floats,
    threshold_mb: float,
) -> Floats:
    """How often each parameter counts in each network: [rows, parameters].

    1 for the intercept; the weights in MB that spill in the network and not already in its
    entries, which have ``spilled`` [specs]; the number of layers of each spec.
    """
    number = {spec: i for i, spec in enumerate(space.specs)}
    found = counts(space.index(np.array(rows)), len(space.specs))
    layers = found[:, [number[spec] for spec in specs]]
    weights = layers @ [weights_mb(spec) for spec in specs]
    extra = spill(weights, threshold_mb) - layers @ spilled
    return np.hstack([np.ones((len(rows), 1)), extra[:, None], layers])


def fit_resolution(
    space: Space,
    specs: Sequence[LayerSpec],
    entries: Mapping[str, Entry],
    networks: Sequence[Network],
    earlier: tuple[float, Sequence[Network]] | None = None,
) -> tuple[Fit, Accuracy | None]:
    """The fit of one resolution and its accuracy on the networks that it did not see.

    ``specs`` are those of the resolution. None where no network was held out. ``earlier`` are the
    spill threshold and the networks of an earlier campaign, where predictions are to be for a
    later one, that of ``networks``.
    """
    own = [entries[block_key(spec)] for spec in specs]

    def design(rows: Sequence[Sequence[int]], threshold: float) -> Floats:
        spilled = np.array([entry.spill_mb(threshold) for entry in own])
        return design_matrix(space, specs, rows, spilled, threshold)

    threshold, before = earlier or (None, ())
    networks = [*before, *networks]
    later = np.arange(len(networks)) >= len(before)
    seen = [network for network in networks if network.fitted]
    later = later[[network.fitted for network in networks]]
    rows = [network.row for network in seen]
    ms = np.array([network.latency.latency_ms for network in seen])
    error_ms = np.array([network.latency.error_ms for network in seen])
    weights = [4e-6 * parameters for parameters in space.parameters(np.array(rows))]
    tried = thresholds(weights) if threshold is None else (threshold,)
    designs = {threshold: design(rows, threshold) for threshold in tried}
    prior = prior_of(
        specs,
        np.array([entry.ms for entry in own]),
        np.array([entry.error_ms for entry in own]),
        next(iter(designs.values())),
    )
    observed = {t: Observations(matrix, ms, error_ms, later) for t, matrix in designs.items()}
    side = networks[-1].resolution
    random = sample_at(space, side, ELSEWHERE, np.random.default_rng(0)).tolist()
    threshold, posterior = fit(prior, observed, {t: design(random, t) for t in tried})
    spilled = tuple(entry.spill_mb(threshold) for entry in own)
    fitted = Fit(tuple(entry.block for entry in own), posterior, threshold, spilled)
    held_out = [network for network in networks if not network.fitted]
    if not held_out:
        return fitted, None
    mean, std = predict(posterior, design([network.row for network in held_out], threshold))
    return fitted, accuracy(mean, std, [network.latency for network in held_out])
