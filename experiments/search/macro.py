"""How many evaluations does each searcher need, where every network's accuracy is known?

    python experiments/search/macro.py DATA/nas-bench-macro_cifar10.json [--seeds 20] [--others 10]
        [--only NAME ...] [--no-more]

Objectives are the mean error of the benchmark's three trainings and the MACs, which are free; an
evaluation is one distinct network. Hypervolume is a share of the exact front's, by enumeration,
below 10% error and the MACs of the largest network. Claims, medians over seeds:

- the default reaches the hypervolume of ``nsga2`` after 500 evaluations within 125;
- the default is within 0.1 points of the best of all networks within 80, searching for it alone;
- the default reaches 99% of the exact hypervolume within 400, with every seed;
- every searcher in the catalogue has a larger hypervolume after 200 than random search.

Runs are kept in ``results/macro/NAME.jsonl`` as they come; stopped at any time, the same command
goes on, and a searcher whose file is deleted is run again. ``results/macro.json``, ``.md`` and
``.png`` are made of all runs there are (``--no-more`` makes no others). Ends with 1 if something
falls short.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # Before anything that reads it.

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from curves import Benchmark, Run, keep, kept, search
from macro_figure import draw, table
from scipy.stats import t

from nas.search import searchers
from search_spaces.errors import NasLoopError

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

DEFAULT, LEVEL, RANDOM = "auto", "nsga2", "random"
# Evaluations of the searches for both objectives, and for the error alone.
BUDGETS = {DEFAULT: 400, LEVEL: 500}
BUDGET, ALONE = 200, 100
COMPARED_AT = 200
NEAR = 0.1
NEVER = 10**6

Runs = dict[tuple[str, bool], list[Run]]


def interval(values: list[float]) -> dict[str, float]:
    """Mean and the half of its 95% interval over seeds (Student's t)."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return {"mean": round(float(np.mean(values)), 5), "half": round(float(half), 5)}


def reached(curve: np.ndarray, level: float) -> int:
    """Evaluations until a growing curve is at ``level``."""
    return int(np.argmax(curve >= level)) + 1 if (curve >= level).any() else NEVER


def spread(counts: list[int]) -> dict[str, Any]:
    """Median, quartiles and extremes over seeds; None where the budget did not do."""
    five = np.quantile(counts, [0.5, 0.25, 0.75, 0, 1], method="inverted_cdf")
    names = ("median", "quartile1", "quartile3", "least", "most")
    said = {n: None if v >= NEVER else int(v) for n, v in zip(names, five, strict=True)}
    return {**said, "seeds": len(counts), "never": sum(count >= NEVER for count in counts)}


def run_all(benchmark: Benchmark, folder: Path, seeds: int, others: int, only: list[str]) -> dict:
    """What is missing; returns why searchers do not take a problem, by name."""
    done = {(run.searcher, run.macs, run.seed) for run in kept(folder)}
    refused: dict[str, str] = {}
    for seed in range(max(seeds, others)):
        for name in searchers.names():
            few = name not in (DEFAULT, LEVEL, RANDOM)
            if (only and name not in only) or name in refused or seed >= (others if few else seeds):
                continue
            for macs in (True, False):
                if (name, macs, seed) in done:
                    continue
                budget = BUDGETS.get(name, BUDGET) if macs else ALONE
                try:
                    run = search(benchmark, name, seed, macs, budget)
                except NasLoopError as error:
                    refused[f"{name}, {'two objectives' if macs else 'one'}"] = str(error)
                    continue
                keep(folder, run)
                print(name, seed, "error, macs" if macs else "error", run.asking_s, "s", flush=True)
    return refused


def rows_of_table(benchmark: Benchmark, runs: Runs, level: float) -> list[dict[str, Any]]:
    """For each searcher what is said of it."""
    rows = []
    for name in sorted({name for name, _ in runs}):
        both, alone = runs.get((name, True), []), runs.get((name, False), [])
        row: dict[str, Any] = {"searcher": name, "seeds": len(both)}
        if len(both) > 1:
            curves = [benchmark.volumes(run) for run in both]
            at = [float(curve[:COMPARED_AT][-1]) for curve in curves]
            row |= {
                "batch": both[0].batch,
                "volume": interval(at),
                "to_level": spread([reached(curve, level) for curve in curves]),
                "to_99": spread([reached(curve, 0.99) for curve in curves]),
                "to_best_both": spread([to_best(benchmark, run) for run in both]),
                "ask_s": round(sum(r.asking_s for r in both) / sum(r.asks for r in both), 4),
                "longest_ask_s": max(run.longest_ask_s for run in both),
            }
        if len(alone) > 1:
            row["to_best"] = spread([to_best(benchmark, run) for run in alone])
            row["error"] = interval([float(benchmark.errors(run)[:100][-1]) for run in alone])
        rows.append(row)
    return rows


def to_best(benchmark: Benchmark, run: Run) -> int:
    """Evaluations until a network is within ``NEAR`` points of the best of all."""
    return reached(-benchmark.errors(run), -(benchmark.best + NEAR))


def claims_of(rows: list[dict[str, Any]]) -> dict[str, bool]:
    """What is claimed and whether it holds."""
    by = {row["searcher"]: row for row in rows if "volume" in row}
    default, chance = by[DEFAULT], by[RANDOM]["volume"]

    def within(counts: dict[str, Any], most: int) -> bool:
        return counts["median"] is not None and counts["median"] <= most

    claims = {
        f"{DEFAULT}: hypervolume of {LEVEL} after 500 within 125": within(default["to_level"], 125),
        f"{DEFAULT}: within {NEAR} points of the best within 80": within(default["to_best"], 80),
        f"{DEFAULT}: 99% of the exact hypervolume within 400, every seed": (
            default["to_99"]["never"] == 0
        ),
    }
    for row in rows:
        mine = row.get("volume")
        if mine is None or row["searcher"] == RANDOM:
            continue
        better = mine["mean"] - mine["half"] > chance["mean"] + chance["half"]
        claims[f"{row['searcher']}: beats {RANDOM} after {COMPARED_AT}"] = better
    return claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--others", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--no-more", action="store_true")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    benchmark = Benchmark(options.data)
    refused: dict[str, str] = {}
    if not options.no_more:
        refused = run_all(
            benchmark, options.out / "macro", options.seeds, options.others, options.only
        )
    runs: Runs = defaultdict(list)
    for run in kept(options.out / "macro"):
        runs[run.searcher, run.macs].append(run)
    ends = [benchmark.volumes(run)[-1] for run in runs[LEVEL, True]]
    level = float(np.median(ends))
    rows = rows_of_table(benchmark, runs, level)
    claims = claims_of(rows)
    document: dict[str, Any] = {
        "machine": machine(),
        "exact_front": {"networks": len(benchmark.front), "hypervolume": benchmark.full},
        "best_error": benchmark.best,
        "level": {"searcher": LEVEL, "after": 500, "volume": round(level, 5)},
        "claims": claims,
        "refused": refused,
        "searchers": rows,
    }
    save(options.out / "macro.json", document)
    (options.out / "macro.md").write_text(table(rows, claims, level))
    draw(
        {name: [benchmark.volumes(run) for run in of] for (name, macs), of in runs.items() if macs},
        level,
        options.out / "macro.png",
    )
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {claim}")
    sys.exit(not all(claims.values()))


if __name__ == "__main__":
    main()
