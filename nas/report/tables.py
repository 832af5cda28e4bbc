"""Latency tables as a report needs them: their error, their whole networks, a layer's share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import LatencyTable, block_key
from nas.report.data import Table, TableNetwork
from nas.report.documents import read_document
from search_spaces import LayerSpec, Space

__all__ = ["layer_latency", "read_table"]


def read_table(path: Path, space: Space | None) -> Table | None:
    """The table in a file; with its networks if the space is known.

    Raises:
        NasLoopError: damaged, or of another space.
    """
    table = read_document(path, lambda document: _stated(path.stem, document))
    if table is None or space is None:
        return table
    loaded = LatencyTable.load(path, space)
    rows = np.array([network.row for network in loaded.networks], dtype=np.int64)
    if not len(rows):
        return table
    costs = zip(
        loaded.predict(rows), loaded.networks, space.macs(rows), space.parameters(rows), strict=True
    )
    networks = tuple(
        TableNetwork(
            float(predicted),
            network.latency.latency_ms,
            float(macs),
            float(parameters),
            network.fitted,
        )
        for predicted, network, macs, parameters in costs
    )
    return Table(table.name, table.device, table.accuracy, table.campaign, networks)


def _stated(name: str, document: Mapping[str, Any]) -> Table:
    campaign = {
        key: value
        for key, value in document["campaign"].items()
        if isinstance(value, str | int | float | bool)
    }
    campaign["noisy"] = _noisy(document)
    campaign["from_donors"] = ", ".join(document.get("donors", {}))
    return Table(name, dict(document["fingerprint"]), dict(document["accuracy"]), campaign)


def _noisy(document: Mapping[str, Any]) -> bool:
    """Whether a campaign that some resolution still comes from was too noisy."""
    further = document.get("further", [])
    later = {str(side) for one in further for side in one["resolutions"]}
    first = [document] if set(document["fits"]) - later else []
    return any(one["campaign"]["noisy"] for one in (*first, *further))


def layer_latency(path: Path, resolution: int) -> Callable[[LayerSpec], float | None]:
    """A layer's milliseconds by the table in a file, None for all if it lacks the resolution.

    Raises:
        NasLoopError: damaged.
    """
    known = read_document(path, lambda document: _layers(document, str(resolution))) or {}
    return lambda spec: known.get(block_key(spec))


def _layers(document: Mapping[str, Any], resolution: str) -> dict[str, float]:
    fit = document["fits"].get(resolution)
    if fit is None:
        return {}
    # What all networks have in common stands before the layers.
    means = fit["mean_ms"][-len(fit["blocks"]) :]
    return dict(zip(fit["blocks"], map(float, means), strict=True))
