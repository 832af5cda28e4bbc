"""Do networks keep budgets that were searched at 95% confidence?

    python experiments/latency/confidence.py TABLE [--budgets 100] [-o confidence.json]

TABLE is one of a built-in space on this machine (`nas measure --space small-images -o TABLE`).
For every budget, drawn log-uniformly within what the space can reach, networks with the most MACs
are searched in rounds, as `nas search --confidence 0.95 --proxy macs` does. Two networks of each
are then measured in one fresh campaign: the one that the first round predicts to be the best within
the budget, and the one that is named in the end, among measured candidates.

Claims: at most 9 of 100 of the first are above their budget, at most 2 of the second, which use 95%
of their budgets on average. Exits with 1 if one falls short. Leave the machine quiet.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import (
    Device,
    Latency,
    LatencyTable,
    device,
    measure_networks,
    network_model,
    pace_of,
    space_in,
)
from latency_lut.populations import resolutions_of
from nas.jobs.rounds import Candidate, figures, search_in_rounds
from nas.jobs.search import UPPER
from nas.jobs.select import best
from nas.search import Study, minimize
from search_spaces.files import write_atomic
from search_spaces.space import Population

DEVIATIONS = 1.6448536269514722
EVALUATIONS, CANDIDATES = 2000, 8
MOST_BEFORE, MOST_AFTER, LEAST_USE = 0.09, 0.02, 0.95
Row = tuple[int, ...]


def timed(table: LatencyTable, runs_on: Device, rows: Sequence[Row], seed: int) -> list[Latency]:
    """Latencies of a fresh campaign at the table's pace; equal rows are measured once."""
    space, distinct = table.space, list(dict.fromkeys(rows))
    X = np.array(distinct)
    names = [f"searched {'.'.join(map(str, row))}" for row in distinct]
    models = [network_model(n, space.lower_row(row)) for n, row in zip(names, X, strict=True)]
    sides = dict(zip(names, resolutions_of(space, space.index(X)).tolist(), strict=True))
    found = measure_networks(
        models,
        runs_on,
        rng=np.random.default_rng(seed),
        pace=pace_of(table, X),
        sides=sides,
        memory=False,
    )
    by_row = {row: one.latency for row, one in zip(distinct, found, strict=True)}
    return [by_row[row] for row in rows]


def one_budget(table: LatencyTable, runs_on: Device, budget: float, seed: int) -> dict[str, Any]:
    """The network of the first round's prediction, and the one that is named in the end."""
    space = table.space
    predicted: list[Row] = []

    def search(corrected: LatencyTable, number: int) -> Study:
        def upper(rows: Population) -> Any:
            mean, std = corrected.predict(rows, return_std=True)
            return mean + DEVIATIONS * std

        study = minimize(
            space,
            {"error": lambda rows: -space.macs(rows) / 1e6, "latency_ms": corrected.predict},
            {UPPER: budget},
            functions={UPPER: upper},
            budget=EVALUATIONS,
            seed=seed,
        )
        if number == 1:
            predicted.append(study.front()[0].row)
        return study

    def measure(_: LatencyTable, rows: Population, number: int) -> list[Candidate]:
        plain = [tuple(row) for row in rows.tolist()]
        sides = resolutions_of(space, space.index(rows)).tolist()
        return [
            Candidate(
                row,
                side,
                {"latency_ms": one.latency_ms, "score": float(space.macs(np.array(row))[0])},
                one,
            )
            for row, side, one in zip(
                plain, sides, timed(table, runs_on, plain, 100 * seed + number), strict=True
            )
        ]

    outcome = search_in_rounds(search, measure, table, CANDIDATES)
    _, scores = figures(outcome.candidates)
    upper = [
        one.latency.latency_ms + DEVIATIONS * one.latency.error_ms for one in outcome.candidates
    ]
    chosen = best(upper, scores, budget)
    return {
        "budget_ms": budget,
        "predicted": predicted[0],
        "named": None if chosen is None else outcome.candidates[chosen].row,
        "measured_ms": None if chosen is None else outcome.candidates[chosen].latency.latency_ms,
        "rounds": [one.off for one in outcome.rounds],
        "settled": outcome.settled,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--budgets", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    space = space_in(options.table)
    assert space is not None, "the table is of a built-in space"
    table = LatencyTable.load(options.table, space)
    runs_on = device("cpu", threads=table.fingerprint.threads)
    table.require(runs_on.fingerprint())
    began = time.monotonic()
    mean, std = table.predict(np.stack([space.smallest, space.largest]), return_std=True)
    low, high = np.log([1.05 * (mean[0] + DEVIATIONS * std[0]), mean[1]])
    budgets = np.exp(np.random.default_rng(options.seed).uniform(low, high, options.budgets))
    rows = []
    for number, budget in enumerate(budgets.tolist()):
        rows.append(one_budget(table, runs_on, budget, number))
        each = (time.monotonic() - began) / len(rows)
        left = each * (len(budgets) - len(rows))
        print(f"{len(rows)}/{len(budgets)}, {left:.0f} s left", file=sys.stderr)
    named = [row for row in rows if row["named"] is not None]
    fresh = timed(
        table, runs_on, [r["predicted"] for r in rows] + [r["named"] for r in named], 10**6
    )
    for row, one in zip(rows, fresh, strict=False):
        row["predicted_ms"] = one.latency_ms
    for row, one in zip(named, fresh[len(rows) :], strict=True):
        row["named_ms"] = one.latency_ms
    before = sum(row["predicted_ms"] > row["budget_ms"] for row in rows)
    after = sum(row["named_ms"] > row["budget_ms"] for row in named)
    use = float(np.mean([row["named_ms"] / row["budget_ms"] for row in named]))
    n = len(rows)
    claims = {
        f"predicted: {before} of {n} above their budget, at most {MOST_BEFORE * n:.0f}": before
        <= MOST_BEFORE * n,
        f"measured: {after} of {len(named)} above their budget, at most {MOST_AFTER * n:.0f}": after
        <= MOST_AFTER * n,
        f"{n - len(named)} of {n} without a network, none is due": len(named) == n,
        f"budgets are used to {use:.1%}, at least {LEAST_USE:.0%}": use >= LEAST_USE,
    }
    for text, holds in claims.items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {text}")
    if options.out:
        document = {
            "space": space.name,
            "fingerprint": table.fingerprint.to_dict(),
            "table": table.campaign.when,
            "seed": options.seed,
            "seconds": round(time.monotonic() - began, 1),
            "claims": claims,
            "budgets": rows,
        }
        write_atomic(options.out, json.dumps(document, indent=1) + "\n")
    sys.exit(not all(claims.values()))


if __name__ == "__main__":
    main()
