"""How many evaluations does each searcher need, where every network's accuracy is known?

    python experiments/search/macro.py DATA/nas-bench-macro_cifar10.json [--seeds 20] [--others 10]
        [--only NAME ...] [--no-more]

Objectives are the mean error of the benchmark's three trainings and the MACs, which are free; an
evaluation is one distinct network. Hypervolume is a share of the exact front's, by enumeration,
below 10% error and the MACs of the largest network. Claims, medians over seeds:

- the default reaches the hypervolume of ``nsga2`` after 500 evaluations within 125;
- the default is within 0.1 points of the best of all networks within 80, searching for it alone;
- the default reaches 99% of the exact hypervolume within 400, with every seed;
- every searcher in the catalogue has a larger hypervolume after 200 than random search, and the 95%
  interval of the difference says so.

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
from scipy.stats import t, ttest_ind

from nas.search import searchers
from search_spaces.errors import NasLoopError

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

DEFAULT, LEVEL, RANDOM = "auto", "nsga2", "random"
# Searches of each: with MACs as a second objective or for the error alone, and evaluations.
USUAL = ((True, 200), (False, 100))
SEARCHES = {DEFAULT: ((True, 400), (False, 100)), LEVEL: ((True, 500), *USUAL)}
COMPARED_AT, ALONE_AT = 200, 100
NEAR = 0.1
NEVER = 10**6

Runs = dict[tuple[str, bool, int], list[Run]]


def interval(values: list[float]) -> dict[str, float]:
    """Mean and the half of its 95% interval over seeds (Student's t)."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return {"mean": round(float(np.mean(values)), 5), "half": round(float(half), 5)}


def reached(curve: np.ndarray, level: float) -> int:
    """Evaluations until a growing curve is at ``level``."""
    return int(np.argmax(curve >= level)) + 1 if (curve >= level).any() else NEVER


def spread(counts: list[int]) -> dict[str, Any]:
    """Median, quartiles and extremes over seeds, the later of two; None is more than the budget."""
    five = np.quantile(counts, [0.5, 0.25, 0.75, 0, 1], method="higher")
    names = ("median", "quartile1", "quartile3", "least", "most")
    said = {n: None if v >= NEVER else int(v) for n, v in zip(names, five, strict=True)}
    return {**said, "seeds": len(counts), "never": sum(count >= NEVER for count in counts)}


def run_all(
    benchmark: Benchmark, folder: Path, seeds: int, others: int, only: list[str]
) -> dict[str, str]:
    """What is missing; returns why searchers do not take a problem, by name."""
    done = {(run.searcher, run.macs, run.budget, run.seed) for run in kept(folder)}
    refused: dict[str, str] = {}
    for seed in range(max(seeds, others)):
        for name in searchers.names():
            few = name not in (DEFAULT, LEVEL, RANDOM)
            if (only and name not in only) or seed >= (others if few else seeds):
                continue
            for macs, budget in SEARCHES.get(name, USUAL):
                problem = f"{name}, {'error and macs' if macs else 'error'}"
                if (name, macs, budget, seed) in done or problem in refused:
                    continue
                try:
                    run = search(benchmark, name, seed, macs, budget)
                except NasLoopError as error:
                    refused[problem] = str(error)
                    continue
                keep(folder, run)
                print(f"{problem}, seed {seed}: {run.asking_s} s", flush=True)
    return refused


def row_of(benchmark: Benchmark, runs: Runs, name: str, level: float) -> dict[str, Any]:
    """What is said of a searcher."""
    budgets = [budget for of, macs, budget in runs if of == name and macs]
    row: dict[str, Any] = {"searcher": name}
    if budgets:
        # Counts of evaluations come from the longest searches, the comparison from the shortest.
        long, short = runs[name, True, max(budgets)], runs[name, True, min(budgets)]
        curves = [benchmark.volumes(run) for run in long]
        at = volumes_of(benchmark, short)
        row |= {
            "seeds": len(short),
            "batch": short[0].batch,
            "volume": interval(at),
            "to_level": spread([reached(curve, level) for curve in curves]),
            "to_99": spread([reached(curve, 0.99) for curve in curves]),
            "to_best_both": spread([to_best(benchmark, run) for run in long]),
            "ask_s": round(sum(r.asking_s for r in long) / sum(r.asks for r in long), 4),
            "longest_ask_s": max(run.longest_ask_s for run in long),
        }
        if name != RANDOM:
            row["above_random"] = difference(at, volumes_of(benchmark, of_random(runs)))
    alone = runs.get((name, False, ALONE_AT), [])
    if alone:
        row["to_best"] = spread([to_best(benchmark, run) for run in alone])
        row["error"] = interval([float(benchmark.errors(run)[-1]) for run in alone])
    return row


def of_random(runs: Runs) -> list[Run]:
    return runs[RANDOM, True, COMPARED_AT]


def volumes_of(benchmark: Benchmark, runs: list[Run]) -> list[float]:
    """Of each run the hypervolume at which searchers are compared."""
    return [float(benchmark.volumes(run)[:COMPARED_AT][-1]) for run in runs]


def difference(mine: list[float], theirs: list[float]) -> dict[str, float]:
    """The 95% interval of the difference of two means (Welch's)."""
    low, high = ttest_ind(mine, theirs, equal_var=False).confidence_interval(0.95)
    return {"low": round(float(low), 5), "high": round(float(high), 5)}


def to_best(benchmark: Benchmark, run: Run) -> int:
    """Evaluations until a network is within ``NEAR`` points of the best of all."""
    return reached(-benchmark.errors(run), -(benchmark.best + NEAR))


def claims_of(rows: list[dict[str, Any]]) -> dict[str, bool]:
    """What is claimed and whether it holds."""
    default = next(row for row in rows if row["searcher"] == DEFAULT)

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
        if "above_random" in row:
            claim = f"{row['searcher']}: a larger hypervolume than {RANDOM} after {COMPARED_AT}"
            claims[claim] = row["above_random"]["low"] > 0
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
    if min(options.seeds, options.others) < 2:
        parser.error("--seeds and --others are 2 or more: intervals are over seeds")
    benchmark = Benchmark(options.data)
    refused: dict[str, str] = {}
    if not options.no_more:
        refused = run_all(
            benchmark, options.out / "macro", options.seeds, options.others, options.only
        )
    runs: Runs = defaultdict(list)
    for run in kept(options.out / "macro"):
        runs[run.searcher, run.macs, run.budget].append(run)
    runs = {key: of for key, of in runs.items() if len(of) > 1}
    needed = [(name, *one) for name in SEARCHES for one in SEARCHES[name]]
    lacking = {key[0] for key in (*needed, (RANDOM, True, COMPARED_AT)) if key not in runs}
    if lacking:
        sys.exit(
            f"fewer than two runs of {', '.join(sorted(lacking))} in {options.out / 'macro'}, "
            "which the others are compared with: leave out --only and --no-more"
        )
    long = {name: runs[name, True, max(b for n, m, b in runs if n == name and m)]
            for name in sorted({name for name, macs, _ in runs if macs})}  # fmt: skip
    curves = {name: [benchmark.volumes(run) for run in of] for name, of in long.items()}
    level = float(np.median([curve[-1] for curve in curves[LEVEL]]))
    rows = [row_of(benchmark, runs, name, level) for name in sorted({name for name, _, _ in runs})]
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
    draw(curves, level, options.out / "macro.png")
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {claim}")
    sys.exit(not all(claims.values()))


if __name__ == "__main__":
    main()
