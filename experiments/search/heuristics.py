"""How far does every searcher stop from the true optimum of a predictor under a latency budget?

    python experiments/search/heuristics.py [--searcher NAME ...] [--seeds N] [-o FILE]

The space, the predictor, the table and the twenty budgets of ``exact.py``, of which every fourth is
taken here, the first included. Searchers evaluate ``EVALUATIONS`` networks, those that learn a
model ``FEWER``: they are made for functions that take minutes. Nothing is claimed of any but the
default, whose claim ``exact.py`` makes over all budgets and with ten times the evaluations; "auto"
is the default where all is predicted. A searcher whose figures are there already is left out, so
that the same command goes on. Where a search meets no network within a budget it has no distance,
and is counted.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # Before anything that reads it.

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from exact import budgets, ridge, summary
from made_up_table import made_up

import search_spaces
from latency_lut import LatencyTable
from nas.search import InfeasibleWarning, minimize
from nas.search.exact import optimum
from nas.search.searchers import names
from predictors import Predictor
from search_spaces import Space

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

EVALUATIONS, FEWER = 5_000, 200
MODELS = ("linas", "mobo")
EVERY = 4


def gap(
    space: Space,
    predictor: Predictor,
    table: LatencyTable,
    limit: float,
    best: float,
    searcher: str,
    seed: int,
) -> tuple[float | None, float]:
    """Points above the optimum, None where no network keeps the limit; and CPU seconds."""
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfeasibleWarning)  # It is counted.
        study = minimize(
            space,
            {"error": predictor.predict, "latency_ms": table.predict},
            {"latency_ms": limit},
            searcher=searcher,
            budget=FEWER if searcher in MODELS else EVALUATIONS,
            seed=seed,
        )
    errors = [point.objectives["error"] for point in study.front()]
    seconds = round(time.process_time() - began, 1)
    return (round(min(errors) - best, 4) if errors else None), seconds


def figures(runs: list[list[tuple[float | None, float]]]) -> dict[str, Any]:
    """What the runs [budgets, seeds] of a searcher come to."""
    gaps = [[distance for distance, _ in row] for row in runs]
    found = [distance for row in gaps for distance in row if distance is not None]
    means = [float(np.mean(seed)) if None not in seed else None for seed in zip(*gaps, strict=True)]
    return {
        # Over seeds of the mean over budgets.
        "points": summary(means) if None not in means else None,
        "median_points": round(float(np.median(found)), 4) if found else None,
        "worst_points": max(found, default=None),
        "at_the_optimum": sum(distance < 1e-5 for distance in found),
        "without_a_network": sum(distance is None for row in gaps for distance in row),
        "search_s": round(float(np.median([s for row in runs for _, s in row])), 1),
        "gaps": gaps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searcher", action="append", choices=names(), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=10)
    usual = Path(__file__).parent / "results" / "heuristics.json"
    parser.add_argument("-o", "--out", type=Path, default=usual)
    args = parser.parse_args()
    space = search_spaces.get("ofa-mobilenetv3", resolutions=[224])
    table, predictor = made_up(space), ridge(space)
    limits = budgets(space, table)[::EVERY]
    document: dict[str, Any] = {"searchers": {}}
    if args.out.is_file():
        document = json.loads(args.out.read_text(encoding="utf-8"))
    said = {"seeds": args.seeds, "latency_ms": limits, "evaluations": EVALUATIONS, "models": FEWER}
    if any(document.get(name, value) != value for name, value in said.items()):
        raise SystemExit(f"{args.out} was made with other {', '.join(said)}; choose another -o")
    document |= {"machine": machine(), "space": "ofa-mobilenetv3 at 224", **said}
    best = [
        optimum(
            space,
            {"error": predictor.predict},
            {"latency_ms": limit},
            functions={"latency_ms": table.predict},
        )
        for limit in limits
    ]
    if not all(one.proven for one in best):
        raise SystemExit("an optimum is not proven")
    document["optima"] = [round(one.value, 4) for one in best]
    for name in args.searcher or [one for one in names() if one != "auto"]:
        if name in document["searchers"]:
            continue
        runs = [
            [
                gap(space, predictor, table, limit, one.value, name, seed)
                for seed in range(args.seeds)
            ]
            for limit, one in zip(limits, best, strict=True)
        ]
        document["searchers"][name] = figures(runs)
        save(args.out, document)
        print(name, {k: v for k, v in document["searchers"][name].items() if k != "gaps"})


if __name__ == "__main__":
    main()
