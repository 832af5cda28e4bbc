"""Searches that one is compared with: which are run, how often, and what is kept of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas.jobs import curves as comparing
from nas.jobs.curves import (
    compare,
    compare_seconds,
    curve_numbers,
    incomparable,
    known_curves,
    write_curves,
)
from nas.report.course import Curve, Curves
from nas.run import Run
from nas.search import InfeasibleWarning, Study, hypervolume, minimize
from nas.terminal import Screen
from search_spaces.errors import InfeasibleError
from tests.nas.tiny import tiny

SPACE = tiny()
EVALUATIONS = 60
FRONT = {"identity": "i", "table": "today", "weights": "w", "budget_ms": 2.0, "best": 0}


def search(name: str, seed: int) -> Study:
    rng = np.random.default_rng(0)
    bends = rng.normal(size=len(SPACE.choices))
    return minimize(
        SPACE,
        {"error": lambda X: np.sin(X @ bends) - SPACE.macs(X) / 1e5, "latency_ms": SPACE.macs},
        {"latency_ms": float(np.median(SPACE.macs(SPACE.sample(500, rng))))},
        searcher=name,
        seed=seed,
        budget=EVALUATIONS,
    )


class Again:
    """Notes which searches were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def __call__(self, name: str, seed: int) -> Study:
        self.asked.append((name, seed))
        return search(name, seed)


def compared(
    again: Any, seconds: float = 1e9, known: Curves | None = None, seed: int = 3
) -> Curves:
    return compare(
        search("nsga2", seed), again, "nsga2", seed, EVALUATIONS, seconds, Screen(True), known
    )


@pytest.fixture(autouse=True)
def random_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many baselines there are."""
    monkeypatch.setattr(comparing, "BASELINES", ("random", "not there yet"))


def test_every_searcher_is_run_with_some_seeds() -> None:
    again = Again()
    found = compared(again)
    assert again.asked == [
        ("random", 3),
        *((name, seed) for seed in (4, 5, 6, 7) for name in ("nsga2", "random")),
    ]
    assert {(one.searcher, one.seed) for one in found.curves} == {("nsga2", 3), *again.asked}
    assert found.numbers[-1] == EVALUATIONS and found.objectives == ("error", "latency_ms")


def test_curves_are_hypervolumes_below_one_reference() -> None:
    found = compared(Again())
    first = search("nsga2", 3)
    objectives = first.records.values[:, :2]
    assert found.reference == tuple(objectives[first.feasible].max(axis=0).tolist())
    for one in found.curves:
        study = search(one.searcher, one.seed)
        values, feasible = study.records.values[:, :2], study.feasible
        for number, volume in zip(found.numbers, one.volumes, strict=True):
            within = values[:number][feasible[:number]]
            assert volume == pytest.approx(hypervolume(within, found.reference), rel=1e-6)


def test_time_ends_it_but_not_before_each_baseline_has_one() -> None:
    again = Again()
    found = compared(again, seconds=1e-9)
    assert again.asked == [("random", 3)] and len(found.curves) == 2
    again = Again()
    found = compared(again, seconds=0)
    assert again.asked == [] and [one.searcher for one in found.curves] == ["nsga2"]


def test_what_would_end_too_late_is_left_to_what_is_quicker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(comparing, "time", clock)
    asked: list[tuple[str, int]] = []

    def again(name: str, seed: int) -> Study:
        asked.append((name, seed))
        clock.now += {"nsga2": 6.0, "random": 1.0}[name]
        return search(name, seed)

    compared(again, seconds=11.0)
    # At 1 + 6 + 1 there is no room for six seconds, and for one there is.
    assert asked == [("random", 3), ("nsga2", 4), ("random", 4), ("random", 5), ("random", 6)]
    assert (compare_seconds(1.0), compare_seconds(600.0)) == (5.0, 60.0)


def test_earlier_curves_stay_and_are_not_run_again() -> None:
    first = compared(Again(), seconds=1e-9)
    again = Again()
    second = compared(again, known=first, seed=4)
    assert second.reference == first.reference
    assert set(first.curves) < set(second.curves)
    assert ("random", 3) not in again.asked and ("nsga2", 4) not in again.asked
    assert len(second.curves) == len({(one.searcher, one.seed) for one in second.curves})
    shorter = replace(first, numbers=(10, 20))
    assert not {*compared(Again(), 0, shorter).curves} & {*shorter.curves[1:]}


def test_a_search_that_meets_nothing_within_the_limits_counts_as_nothing() -> None:
    def again(name: str, seed: int) -> Study:
        raise InfeasibleError("none")

    found = compared(again, seconds=1e-9)
    assert found.curves[1] == Curve("random", 3, (0.0,) * len(found.numbers))


def test_what_cannot_be_compared_says_why() -> None:
    assert incomparable(search("random", 0)) is None
    hard = {"rare": lambda rows: np.where((rows == SPACE.largest).all(axis=1), 0, 9)}
    with pytest.warns(InfeasibleWarning):
        study = minimize(
            SPACE, {"macs": SPACE.macs}, {"rare": 1}, "random", 5, functions=hard, free=()
        )
    assert str(incomparable(study)).startswith("none of the networks that it evaluated is within")


def test_numbers() -> None:
    assert curve_numbers(1) == (1,) and curve_numbers(7) == (7,)
    for evaluations in (11, 60, 5000, 50_000):
        numbers = curve_numbers(evaluations)
        assert numbers[0] == 10 and numbers[-1] == evaluations and len(numbers) <= 40
        assert list(numbers) == sorted(set(numbers))


def test_the_file_is_of_one_search(tmp_path: Path) -> None:
    run, found = Run(tmp_path), compared(Again(), seconds=1e-9)
    assert known_curves(run, FRONT) is None
    write_curves(run, FRONT, found)
    assert known_curves(run, FRONT) == found
    assert known_curves(run, {**FRONT, "best": 5, "seconds": {}}) == found
    for key, value in (("table", "yesterday"), ("budget_ms", 3.0), ("weights", "x")):
        assert known_curves(run, {**FRONT, key: value}) is None
    for damaged in ("", "[]", '{"format": 1}', run.curves.read_text()[:-9]):
        run.curves.write_text(damaged)
        assert known_curves(run, FRONT) is None
    write_curves(run, FRONT, found)
    assert json.loads(run.curves.read_text())["format"] == 1
