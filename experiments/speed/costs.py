"""How fast a population is costed, and how fast a search is on its feet.

    python experiments/speed/costs.py --run RUN [--space NAME] [--table TABLE] [--rows 100000]
        [--out FILE]

Claims:

1. MACs, parameters and latency of 100,000 architectures take less than a second on one core, in
   every space of the catalogue.
2. ``nas search RUN`` on the run's table stores its first evaluation less than a second after the
   command starts, and has not imported torch by then.

``--table`` is one of the space that ``--space`` names. Elsewhere, and without it, latency is a
made-up table: a figure for every spec, summed as a table does.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from timing import machine, milliseconds, save

import search_spaces
from search_spaces import Space

SEARCH = ("--latency-ms", "1000", "--proxy", "macs", "--no-baselines")
LIMIT_S = 60.0
LOOK_S = 0.002


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


def search_start(run: Path, repeats: int) -> dict[str, float | bool | str | None]:
    """Seconds from the start of the command to its first stored evaluation: median, and floor.

    The command is stopped there; what it writes goes to a folder of its own. Whether it has loaded
    torch by then is None where the system does not tell.
    """
    command = [sys.executable, "-m", "nas.cli", "search", str(run), *SEARCH, "-o"]
    seconds: list[float] = []
    loaded: list[bool | None] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as out:
            began = time.monotonic()
            process = subprocess.Popen(
                [*command, out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            while not stored(Path(out) / "study.sqlite"):
                if process.poll() is not None or time.monotonic() - began > LIMIT_S:
                    process.kill()
                    sys.exit(f"no evaluation was stored: {process.communicate()[1]}")
                time.sleep(LOOK_S)
            seconds.append(time.monotonic() - began)
            loaded.append(torch_in(process.pid))
            process.kill()
            process.communicate()
    return {
        "command": f"nas search RUN {' '.join(SEARCH)}",
        "median_seconds": round(statistics.median(seconds), 3),
        "least_seconds": round(min(seconds), 3),
        "imports_torch": None if None in loaded else any(loaded),
    }


def stored(study: Path) -> bool:
    """Whether a study has an evaluation in its file."""
    if not study.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{study.as_uri()}?mode=ro", uri=True)) as file:
            return file.execute("SELECT 1 FROM evaluations LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError:  # Not made yet, or being written to.
        return False


def torch_in(process: int) -> bool | None:
    """Whether a process has torch's library loaded, by what Linux says of its memory."""
    maps = Path(f"/proc/{process}/maps")
    return "libtorch" in maps.read_text() if maps.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="with a table of this machine")
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
    start = search_start(options.run, options.repeats)
    print(
        f"nas search first evaluation stored after {start['median_seconds']:.2f} s (below 1 s); "
        f"torch imported: {start['imports_torch']} (must not be)"
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
    late = float(start["median_seconds"] or 0.0) >= 1
    sys.exit(bool(slow) or late or bool(start["imports_torch"]))


if __name__ == "__main__":
    main()
