"""Which MobileNets are compared, and what is claimed of that, by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

Script = Callable[[str], ModuleType]
MS = {"early": 1.0, "middle": 2.0, "late": 10.0}
"""Of a network of width 1; others take as much as they are wide."""


def times(script: Script, several: Any) -> Any:
    return {
        one.name: script("measured").Time(MS[one.placement] * one.width, 0.001) for one in several
    }


def test_the_widest_and_the_fastest(script: Script) -> None:
    rivals, families = script("rivals"), script("families")
    ms = times(script, families.CANDIDATES)
    found = rivals.feasible(families.CANDIDATES, "MobileNetV2", ms, 0.31)
    assert {place: one.width for place, one in found.items()} == {"early": 0.3, "middle": 0.15}
    assert rivals.widest([], ms, 1.0) is None
    fastest = rivals.fastest(families.CANDIDATES, "MobileNetV3", ms)
    assert (fastest.family, fastest.placement, fastest.width) == ("MobileNetV3", "early", 0.05)


def test_finer_widths_lie_around_the_widest(script: Script) -> None:
    rivals, families = script("rivals"), script("families")
    found = rivals.finer(times(script, families.CANDIDATES), [0.31])
    widths = {
        place: [one.width for one in found if (one.family, one.placement) == ("MobileNetV2", place)]
        for place in MS
    }
    assert widths["early"] == pytest.approx(np.arange(0.275, 0.326, 0.005))
    assert widths["middle"] == pytest.approx(np.arange(0.125, 0.176, 0.005))
    assert widths["late"] == [0.05], "none keeps it"
    ends = rivals.finer(times(script, families.CANDIDATES), [0.06, 99.0])
    early = [one.width for one in ends if (one.family, one.placement) == ("MobileNetV2", "early")]
    steps = [*np.arange(0.05, 0.076, 0.005), *np.arange(1.45, 1.501, 0.01)]
    assert early == pytest.approx(steps), "there is nothing beyond"
    assert len(found) == len({one.name for one in found})


def test_placements_within_a_point_of_the_best(script: Script) -> None:
    assert script("rivals").close({"early": 80.0, "middle": 81.0, "late": 79.9}) == [
        "early",
        "middle",
    ]


def test_points_ahead_are_paired_over_images(script: Script) -> None:
    packed = script("units").packed
    ours = {"images": 4, "hits": packed(np.array([True, True, True, False]))}
    theirs = {"images": 4, "hits": packed(np.array([True, False, False, True]))}
    # Differences 0, 1, 1, -1: mean 1/4, deviation root of 11/12.
    half = 100 * 1.96 * (11 / 12) ** 0.5 / 2
    assert script("rivals").ahead(ours, theirs) == {
        "mean": 25.0,
        "half": pytest.approx(half, abs=1e-3),
    }


def kept(mean: float, of_budget: float = 0.99) -> dict[str, Any]:
    return {"within": True, "ahead": {"mean": mean}, "of_budget": of_budget}


SLOW = {"within": False, "fastest": "MobileNetV3-early-0.05", "latency_ms": 0.4}


def budget(v2: Any, v3: Any) -> dict[str, Any]:
    return {"latency_ms": 0.3, "MobileNetV2": v2, "MobileNetV3": v3}


def test_three_budgets_and_both_families_are_claimed(script: Script) -> None:
    claims = script("rivals").claims
    good = budget(kept(1.0), kept(2.5))
    assert set(claims([good] * 3).values()) == {True}
    assert set(claims([good] * 2).values()) == {False}
    assert set(claims([]).values()) == {False}
    unfinished = {"latency_ms": 0.3, "MobileNetV2": kept(9.0)}
    assert set(claims([good, good, unfinished]).values()) == {False}
    v2 = "a point ahead of MobileNetV2 at each, and at all others that it keeps"
    held = claims([good, good, budget(kept(0.9), kept(2.0))])
    assert [name for name, holds in held.items() if not holds] == [v2]
    held = claims([good, good, budget(kept(1.0, 0.9), kept(2.0))])
    assert [name for name, holds in held.items() if not holds] == [
        "no MobileNet takes less than 0.95 of its budget"
    ]


def test_a_family_that_is_too_slow_gives_no_point(script: Script) -> None:
    good, alone = budget(kept(1.0), kept(2.5)), budget(kept(3.0), SLOW)
    assert set(script("rivals").claims([good, good, alone]).values()) == {False}
    assert set(script("rivals").claims([good, good, good, alone]).values()) == {True}
    behind = budget(kept(0.0), SLOW)
    held = script("rivals").claims([good, good, good, behind])
    assert [name for name, holds in held.items() if not holds] == [
        "a point ahead of MobileNetV2 at each, and at all others that it keeps"
    ]
    assert script("rivals").too_slow([good, alone, {"latency_ms": 1.0}]) == [
        "0.300 ms: no MobileNetV3 is as fast, MobileNetV3-early-0.05 takes 0.400 ms; the searched "
        "network has the budget to itself, which is not counted"
    ]
