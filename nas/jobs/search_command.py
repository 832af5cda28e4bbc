"""``nas search`` as it is typed: what a search is told, and what is said of what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import LatencyTable
from nas.jobs.asking import asked_of
from nas.jobs.beginning import require_folder
from nas.jobs.engines import engine_of
from nas.jobs.exact import said
from nas.jobs.pool import further_devices, pool_names
from nas.jobs.search import search_run
from nas.jobs.tables import chosen_table
from nas.jobs.trained import TrainedRun
from nas.jobs.typed import Typed
from nas.quantities import plain
from nas.run import Run
from nas.scale import worded
from nas.search import searchers
from nas.search.reachable import PATIENCE_S, smallest
from nas.terminal import Screen
from search_spaces.errors import ConfigError
from search_spaces.space import Floats, Population, Space

__all__ = ["search_command"]

ENDED = {
    "seconds": " (the last ended with its time)",
    "stagnation": " (the last ended because it stood still)",
}
"""What is said of a search that something else than its number of evaluations ended."""


def search_command(
    folder: Path, latency_ms: float | None, typed: Typed, screen: Screen
) -> tuple[dict[str, Any], str]:
    """The command ``nas search``."""
    run = Run.open(folder)
    trained = TrainedRun(run)
    config, where = trained.config, typed.where
    searchers.get(typed.searcher)
    latency_ms = latency_ms if latency_ms is not None else config.search.latency_ms
    if latency_ms is not None and not latency_ms > 0:
        raise ConfigError(f"--latency-ms is a number above 0, in milliseconds; got {latency_ms:g}")
    name, *further = pool_names(where.device)
    table, device = chosen_table(trained, name, where.threads, where.table)
    if latency_ms is None:
        asked_of(trained, table, typed.objectives, typed.limits, dimensions=typed.dimensions)
        raise ConfigError(
            f"a search needs a budget: add --latency-ms, or latency_ms under search in "
            f"{run.config_file}; {_range(trained.space, table)}"
        )
    others = further_devices(device, further)
    options = typed.options(config.search, latency_ms)
    target = typed.out or folder
    require_folder(target, fleet=False)
    with engine_of(typed.engine) as working:
        document = search_run(
            *(trained, table, options, target, device, screen),
            *(typed.resume, typed.baselines, working, others, typed.exact, where),
        )
    best = document["points"][document["best"]]
    text = (
        f"best: {best['latency_ms']:.4g} ms measured (budget {latency_ms:g} ms), "
        f"{_quality(document, best)}{_asked(document, best)}; {_rounds(document)}; "
        f"{_exact(document)}"
        f"wrote {Run(target).front} and {Run(target).best}; next: nas export {folder}"
        f"{'' if target == folder else f' --architecture {Run(target).best}'}"
    )
    return document, text


def _range(space: Space, table: LatencyTable) -> str:
    """The latencies that a budget can be of, in words."""

    def latency(rows: Population) -> Floats:
        return np.asarray(table.predict(rows), dtype=np.float64)

    _, least, _ = smallest(space, latency, np.random.default_rng(0), seconds=PATIENCE_S)
    most = float(latency(space.largest[None])[0])
    return f"by the latency table networks take from {least:.4g} to about {most:.4g} ms"


def _quality(document: dict[str, Any], best: dict[str, Any]) -> str:
    if best["val_accuracy"] is not None:
        return f"{best['val_accuracy']:.2f}% of the held-out images"
    score = worded(document["score"], best["score"])
    return f"{score} ({document['guide']}; no images to measure on)"


def _asked(document: dict[str, Any], best: dict[str, Any]) -> str:
    """Further quantities of the best network, and how each is known."""
    said = []
    for one in document["quantities"]:
        value = best["quantities"].get(one["name"])
        if value is not None:
            limit = "" if one["limit"] is None else f", limit {plain(one['limit'])}"
            unit = f" {one['unit']}" if one["unit"] else ""
            said.append(f"; {one['name']} {plain(value)}{unit} ({one['basis']}{limit})")
    return "".join(said)


def _exact(document: dict[str, Any]) -> str:
    exact = document["exact"]
    return f"{said(exact, document['searcher'])}; " if exact else ""


def _rounds(document: dict[str, Any]) -> str:
    last = document["rounds"][-1]
    number = len(document["rounds"])
    told = f"after {number} round{'s' if number > 1 else ''} predictions of the front"
    held = "are within" if document["settled"] else "are off by up to"
    ended = ENDED.get(document["ended_by"], "")
    return f"{told} {held} {last['off']:.1%} of what was measured{ended}"
