"""How fast a population is costed, and how fast a search is on its feet.

    python experiments/speed/costs.py [--space NAME] [--table TABLE] [--rows 100000] [--out FILE]

Claims:

1. MACs, parameters and latency of 100,000 architectures take less than a second on one core, in
   every space of the catalogue.
2. A search on an existing table does not import torch, and evaluates its first architecture
   less than a second after the process starts.

``--table`` is one of the space that ``--space`` names, which is also the one that is searched.
Elsewhere, and without it, latency is a made-up table: a figure for every spec, summed as a table
does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import machine, milliseconds, save

import search_spaces
from search_spaces import Space

SEARCH = """
import sys, time
import numpy as np
import search_spaces
from nas.search import minimize

space = search_spaces.get({name!r})
{latency}
first = []
def error(X):
    first.append(time.time())
    return -space.macs(X)
minimize(space, {{"error": error, "latency_ms": latency}}, {{"latency_ms": 1e9}}, budget=20, seed=0)
print(first[0], "torch" in sys.modules)
"""
FROM_TABLE = """
import latency_lut
latency = latency_lut.LatencyTable.load({path!r}, space).predict
"""
MADE_UP = """
metric = np.sqrt([spec.macs for spec in space.specs])
latency = lambda X: space.total(metric, X)
"""


def latency_of(space: Space, table: Path | None) -> Callable[[np.ndarray], np.ndarray]:
    if table is None:
        metric = np.random.default_rng(0).random(len(space.specs))
        return lambda X: space.total(metric, X)
    import latency_lut

    return latency_lut.LatencyTable.load(table, space).predict


def costs(space: Space, table: Path | None, rows: int, repeats: int) -> dict[str, float]:
    """Seconds of every cost and of all together: medians."""
    X = space.sample(rows, np.random.default_rng(0))
    costed = {
        "macs": space.macs,
        "parameters": space.parameters,
        "latency": latency_of(space, table),
    }
    for cost in costed.values():
        cost(X[:10])
    seconds = {
        name: statistics.median(milliseconds(lambda: cost(X)) for _ in range(repeats)) / 1000  # noqa: B023
        for name, cost in costed.items()
    }
    return {**seconds, "all": sum(seconds.values())}


def search_start(name: str, table: Path | None, repeats: int) -> dict[str, float | bool]:
    """Seconds from the start of a process to its first evaluation: the median, and the floor."""
    latency = MADE_UP if table is None else FROM_TABLE.format(path=str(table.resolve()))
    code = SEARCH.format(name=name, latency=latency)
    seconds, torch_imported = [], False
    for _ in range(repeats):
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        first, imported = done.stdout.split()
        seconds.append(float(first) - began)
        torch_imported |= imported == "True"
    return {
        "median_seconds": statistics.median(seconds),
        "least_seconds": min(seconds),
        "imports_torch": torch_imported,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", choices=search_spaces.names(), default="small-images")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    seconds: dict[str, dict[str, float]] = {}
    for name in search_spaces.names():
        table = options.table if name == options.space else None
        found = costs(search_spaces.get(name), table, options.rows, options.repeats)
        seconds[name] = {cost: round(value, 4) for cost, value in found.items()}
        print(f"{name}, {options.rows} architectures (all: less than 1 s)")
        for cost, value in found.items():
            print(f"    {cost:10} {value:.3f} s")
    start = search_start(options.space, options.table, options.repeats)
    print(
        f"search     first evaluation after {start['median_seconds']:.2f} s (less than 1 s); "
        f"torch {'is' if start['imports_torch'] else 'is not'} imported (must not be)"
    )
    save(
        options.out,
        {
            "machine": machine(),
            "space": options.space,
            "table": "made up" if options.table is None else options.table.name,
            "rows": options.rows,
            "seconds": seconds,
            "search_start": start,
        },
    )
    slow = [name for name, found in seconds.items() if found["all"] >= 1]
    sys.exit(bool(slow) or start["median_seconds"] >= 1 or bool(start["imports_torch"]))


if __name__ == "__main__":
    main()
