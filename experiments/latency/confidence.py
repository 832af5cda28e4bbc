"""Do networks keep budgets that were searched at 95% confidence?

    python experiments/latency/confidence.py TABLE [--budgets 100] [-o confidence.json]

TABLE is one of a built-in space on this machine (`nas measure --space small-images -o TABLE`).
For every budget, drawn log-uniformly within what the space can reach, networks with the most MACs
are searched in rounds, as `nas search --confidence 0.95 --proxy macs` does. Two networks of each
are then measured in one fresh campaign: the one that the first round predicts to be the best within
the budget, and the one that is named in the end, among measured candidates.

Claims: at most 9 of 100 of the first are above their budget, at most 2 of the second, which use 95%
of their budgets on average. Exits with 1 if one falls short. Leave the machine quiet. Budgets that
are done are kept in the output: the same command goes on.
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
from nas.jobs.budget import SearchOptions, chosen
from nas.jobs.guide import Guide
from nas.jobs.one_round import round_study
from nas.jobs.rounds import Candidate, search_in_rounds
from nas.search import Study
from predictors import CostProxy
from search_spaces.errors import InfeasibleError
from search_spaces.files import write_atomic
from search_spaces.space import Population

CONFIDENCE = 0.95
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
    rng, pace = np.random.default_rng(seed), pace_of(table, X)
    found = measure_networks(models, runs_on, rng=rng, pace=pace, sides=sides, memory=False)
    by_row = {row: one.latency for row, one in zip(distinct, found, strict=True)}
    return [by_row[row] for row in rows]


def one_budget(
    table: LatencyTable, runs_on: Device, guide: Guide, options: SearchOptions
) -> dict[str, Any]:
    """The network of the first round's prediction, and the one that is named in the end."""
    space = table.space
    predicted: list[Row] = []

    def search(corrected: LatencyTable, number: int) -> Study:
        study = round_study(space, corrected, guide, options)
        if number == 1:
            front = study.front()
            predicted.append(min(front, key=lambda one: one.objectives["error"]).row)
        return study

    def measure(_: LatencyTable, rows: Population, number: int) -> list[Candidate]:
        plain = [tuple(row) for row in rows.tolist()]
        sides = resolutions_of(space, space.index(rows)).tolist()
        scores = guide.score(guide.source.predict(rows)).tolist()
        latencies = timed(table, runs_on, plain, 100 * options.seed + number)
        return [
            Candidate(row, side, {"latency_ms": one.latency_ms, "score": score}, one)
            for row, side, score, one in zip(plain, sides, scores, latencies, strict=True)
        ]

    found: dict[str, Any] = {"budget_ms": options.latency_ms, "predicted": None, "named": None}
    try:
        outcome = search_in_rounds(search, measure, table, CANDIDATES)
        best = outcome.candidates[chosen(outcome, options)]
    except InfeasibleError as error:
        return {**found, "predicted": predicted[0] if predicted else None, "why": str(error)}
    return {
        **found,
        "predicted": predicted[0],
        "named": best.row,
        "measured_ms": best.latency.latency_ms,
        "rounds": [one.off for one in outcome.rounds],
        "settled": outcome.settled,
    }


def claims_of(rows: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """What the rows say of each claim."""
    predicted = [row for row in rows if row["predicted"] is not None]
    named = [row for row in rows if row["named"] is not None]
    before = sum(row["predicted_ms"] > row["budget_ms"] for row in predicted)
    after = sum(row["named_ms"] > row["budget_ms"] for row in named)
    use = float(np.mean([row["named_ms"] / row["budget_ms"] for row in named]))
    n = len(rows)
    return {
        f"predicted: {before} of {len(predicted)} above their budget, at most "
        f"{MOST_BEFORE * n:.0f}": before <= MOST_BEFORE * n,
        f"measured: {after} of {len(named)} above their budget, at most {MOST_AFTER * n:.0f}": after
        <= MOST_AFTER * n,
        f"{n - len(named)} of {n} without a network, none is due": len(named) == n,
        f"budgets are used to {use:.1%}, at least {LEAST_USE:.0%}": use >= LEAST_USE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--budgets", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    space = space_in(options.table)
    assert space is not None, "the table is of a built-in space"
    table = LatencyTable.load(options.table, space)
    runs_on = device("cpu", threads=table.fingerprint.threads)
    table.require(runs_on.fingerprint())
    proxy = CostProxy("macs", space)
    guide = Guide("proxy macs", "proxy macs", proxy, proxy.unit)
    mean, std = table.predict(np.stack([space.smallest, space.largest]), return_std=True)
    usual = SearchOptions(
        1.0, evaluations=EVALUATIONS, candidates=CANDIDATES, confidence=CONFIDENCE
    )
    low, high = np.log([1.05 * (mean[0] + usual.deviations * std[0]), mean[1]])
    budgets = np.exp(np.random.default_rng(options.seed).uniform(low, high, options.budgets))
    document: dict[str, Any] = {
        "command": " ".join(sys.argv),
        "space": space.name,
        "fingerprint": table.fingerprint.to_dict(),
        "table": table.campaign.when,
        "held_out_mape": {str(side): one.mape for side, one in table.accuracy.items()},
        "seed": options.seed,
        "seconds": 0.0,
        "claims": {},
        "budgets": [],
    }
    if options.out.is_file():
        earlier = json.loads(options.out.read_text())
        same = [earlier[name] == document[name] for name in ("space", "table", "seed")]
        if all(same) and not earlier["claims"]:
            document = earlier
    rows, before_s, began = document["budgets"], document["seconds"], time.monotonic()

    def keep() -> None:
        document["seconds"] = round(before_s + time.monotonic() - began, 1)
        write_atomic(options.out, json.dumps(document, indent=1) + "\n")

    for number in range(len(rows), len(budgets)):
        asked = SearchOptions(
            float(budgets[number]),
            evaluations=EVALUATIONS,
            seed=number,
            candidates=CANDIDATES,
            confidence=CONFIDENCE,
        )
        rows.append(one_budget(table, runs_on, guide, asked))
        keep()
        left = document["seconds"] / len(rows) * (len(budgets) - len(rows))
        print(f"{len(rows)}/{len(budgets)}, {left:.0f} s left", file=sys.stderr)
    both = [(row, name) for name in ("predicted", "named") for row in rows if row[name] is not None]
    fresh = timed(table, runs_on, [tuple(row[name]) for row, name in both], 10**6)
    for (row, name), one in zip(both, fresh, strict=True):
        row[f"{name}_ms"] = one.latency_ms
    document["claims"] = claims_of(rows)
    keep()
    for text, holds in document["claims"].items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {text}")
    sys.exit(not all(document["claims"].values()))


if __name__ == "__main__":
    main()
