"""Which MobileNets a searched network is compared with, and what is claimed of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from families import FAMILIES, PLACEMENTS, WIDTHS, Candidate
from measured import Times
from units import unpacked

CLOSE = 1.0
"""Points of the held-out images below the best within which placements are trained in full."""
PARTS = 5
"""Parts of a step between two widths, for the second measurement."""
BUDGETS, AHEAD, NEAR = 3, 1.0, 0.95
"""Budgets and points that a claim asks for; what a MobileNet takes of its budget at least."""


def finer(times: Times, budgets: Iterable[float]) -> tuple[Candidate, ...]:
    """Widths around the widest that keep each budget, in finer steps than those of ``times``.

    From the next narrower to the next wider, for every family and placement; the narrowest alone
    where none keeps it.
    """
    found: dict[Candidate, None] = {}
    for budget in budgets:
        for family in FAMILIES:
            for placement in PLACEMENTS:
                several = [Candidate(family, placement, width) for width in WIDTHS]
                one = widest(several, times, budget)
                at = 0 if one is None else several.index(one)
                ends = WIDTHS[max(0, at - 1) : at + 2] if one else WIDTHS[:1]
                steps = np.arange(PARTS * (len(ends) - 1) + 1) / PARTS
                for width in np.interp(steps, range(len(ends)), ends):
                    found[Candidate(family, placement, round(float(width), 4))] = None
    return tuple(found)


def widest(several: Iterable[Candidate], times: Times, budget: float) -> Candidate | None:
    """The one with the most channels that takes ``budget`` ms at most; None if none does."""
    within = [one for one in several if times[one.name].ms <= budget]
    return max(within, key=lambda one: one.width, default=None)


def feasible(
    several: Sequence[Candidate], family: str, times: Times, budget: float
) -> dict[str, Candidate]:
    """The widest of a family that keeps ``budget`` ms, for the placements that have one."""
    found = {}
    for placement in PLACEMENTS:
        there = [one for one in several if (one.family, one.placement) == (family, placement)]
        if one := widest(there, times, budget):
            found[placement] = one
    return found


def fastest(several: Iterable[Candidate], family: str, times: Times) -> Candidate:
    """The one of a family that takes least."""
    return min((one for one in several if one.family == family), key=lambda one: times[one.name].ms)


def close(accuracies: Mapping[str, float]) -> list[str]:
    """The names within a point of the best accuracy in percent."""
    best = max(accuracies.values())
    return [name for name, accuracy in accuracies.items() if accuracy >= best - CLOSE]


def ahead(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float]:
    """By how many points of the test images, and the half of the 95% interval of paired images."""
    images = ours["images"]
    apart = unpacked(ours["hits"], images).astype(float) - unpacked(theirs["hits"], images)
    half = 1.96 * apart.std(ddof=1) / images**0.5
    return {"mean": round(100 * float(apart.mean()), 3), "half": round(100 * float(half), 3)}


def claims(budgets: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """What is claimed of the budgets that are done, and whether it holds.

    A family that is too slow for a budget gives no points there: it only counts where both have a
    network, and of those there are three or more.
    """
    done = [row for row in budgets if all(family in row for family in FAMILIES)]
    shared = [row for row in done if all(row[family]["within"] for family in FAMILIES)]
    enough = len(shared) >= BUDGETS
    held = {"three budgets or more that both families keep": enough}
    theirs = []
    for family in FAMILIES:
        kept = [row[family] for row in done if row[family]["within"]]
        theirs += kept
        least = min((one["ahead"]["mean"] for one in kept), default=-np.inf)
        held[f"a point ahead of {family} at each, and at all others that it keeps"] = (
            enough and least >= AHEAD
        )
    held["no MobileNet takes less than 0.95 of its budget"] = enough and all(
        one["of_budget"] >= NEAR for one in theirs
    )
    return held


def too_slow(budgets: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each budget that a family does not keep."""
    return [
        f"{row['latency_ms']:.3f} ms: no {family} is as fast, {row[family]['fastest']} takes "
        f"{row[family]['latency_ms']:.3f} ms; the searched network has the budget to itself, which "
        "is not counted"
        for row in budgets
        for family in FAMILIES
        if family in row and not row[family]["within"]
    ]
