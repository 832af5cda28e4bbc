"""What stands between subnets and the same networks trained alone, and what is claimed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

Row = dict[str, Any]
"""A network: ``alone``, one training a seed, and perhaps ``inherited`` and ``fine-tuned``."""
LEAST, REPEATED, SEEDS = 6, 2, 3
"""Networks that a claim is of, at least; how many of them with several seeds, and with how many."""


def lone(row: Row) -> float:
    """Test accuracy of the network trained alone, in percent: the mean over seeds."""
    return float(np.mean([one["test"] for one in row["alone"]]))


def gaps(rows: Sequence[Row], way: str) -> dict[str, Any]:
    """``way`` minus alone, network by network, and their mean with its interval."""
    there = [row for row in rows if row.get(way) and row["alone"]]
    apart = np.array([row[way]["test"] - lone(row) for row in there])
    found: dict[str, Any] = {"networks": len(there), "gaps": apart.round(3).tolist()}
    if len(there) > 1:
        half = stats.t.ppf(0.975, len(there) - 1) * apart.std(ddof=1) / len(there) ** 0.5
        found |= {
            "mean": round(float(apart.mean()), 3),
            "half": round(float(half), 3),
            "least": round(float(apart.min()), 3),
        }
    return found


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Gaps, ranks, and the spread over seeds."""
    found: dict[str, Any] = {way: gaps(rows, way) for way in ("inherited", "fine-tuned")}
    if found["inherited"]["networks"] > 1:
        done = [row for row in rows if row["alone"] and row.get("inherited")]
        both = [row["inherited"]["test"] for row in done], [lone(row) for row in done]
        found["kendall"] = round(float(stats.kendalltau(*both)[0]), 3)
    several = [[one["test"] for one in row["alone"]] for row in rows if len(row["alone"]) > 1]
    found[f"networks with {SEEDS} seeds"] = sum(len(one) >= SEEDS for one in several)
    if several:
        found["deviation over seeds"] = round(
            float(np.sqrt(np.mean([np.var(one, ddof=1) for one in several]))), 3
        )
    return found


def claims(found: Mapping[str, Any]) -> dict[str, bool]:
    """What is claimed, of six networks or more each, and whether it holds of what is done."""
    ours, tuned = found["inherited"], found["fine-tuned"]
    enough, tuned_enough = ours["networks"] >= LEAST, tuned["networks"] >= LEAST
    return {
        "six networks or more inherited and alone": enough,
        "six networks or more fine-tuned and alone": tuned_enough,
        "two networks or more with three seeds": found[f"networks with {SEEDS} seeds"] >= REPEATED,
        "inherited minus alone at least -0.5 in the mean": enough and ours["mean"] >= -0.5,
        "inherited minus alone at least -1.5 everywhere": enough and ours["least"] >= -1.5,
        "fine-tuned minus alone at least 0.0 in the mean": tuned_enough and tuned["mean"] >= 0.0,
        "Kendall's tau at least 0.8": enough and found["kendall"] >= 0.8,
    }


def totals(rows: Sequence[Row], supernet: Row) -> dict[str, dict[str, float]]:
    """What each way costs for all networks that are done: core-hours (seconds by threads), and tera
    multiply-accumulates.

    ``supernet`` has ``seconds``, its ``machine`` and ``tera_macs``, as has each training of a row.
    Of a network with several seeds one training counts, the mean.
    """
    alone = [row["alone"] for row in rows if row["alone"]]
    tuned = [[row["fine-tuned"]] for row in rows if row.get("fine-tuned")]

    def added(trainings: Sequence[Sequence[Row]]) -> dict[str, float]:
        hours = [np.mean([_core_hours(one) for one in of]) for of in trainings]
        tera = [np.mean([one["tera_macs"] for one in of]) for of in trainings]
        return {"core_hours": round(float(sum(hours)), 2), "tera_macs": round(float(sum(tera)), 1)}

    return {
        "supernet": added([[supernet]]),
        "all networks alone": {"networks": len(alone), **added(alone)},
        "supernet, and all fine-tuned": {"networks": len(tuned), **added([[supernet], *tuned])},
    }


def _core_hours(training: Row) -> float:
    return float(training["seconds"]) * training["machine"]["threads"] / 3600
