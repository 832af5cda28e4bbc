"""What is kept of a search for its report: the best network's neighbours, the front's growth."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas.jobs.growth import MOST, front_growth
from nas.jobs.guide import Guide
from nas.jobs.neighbours import neighbours
from nas.search import Study, minimize
from search_spaces.space import Floats, Population, Space
from tests.nas.tiny import tiny


class Sums:
    """Says of a network a weighted sum of its options."""

    def __init__(self, space: Space) -> None:
        self.weights = np.random.default_rng(0).normal(size=len(space.choices))

    def predict(self, X: Population) -> Floats:
        return np.asarray(X @ self.weights)


def guide(space: Space, unit: str | None = None) -> Guide:
    source: Any = Sums(space)
    return Guide("sums", "sums", source, unit)


def test_differences_are_those_of_the_predictions() -> None:
    space = tiny()
    by = guide(space)
    table: Any = SimpleNamespace(predict=lambda X: space.macs(X) / 1e6)
    row = space.sample(1, np.random.default_rng(2))[0]
    found = neighbours(space, table, by, tuple(row.tolist()))
    assert found["scale"] == "predicted accuracy, %"
    assert found["latency_ms"] == pytest.approx(space.macs(row[None])[0] / 1e6, abs=1e-6)
    assert found["score"] == pytest.approx(100 - by.source.predict(row[None])[0], abs=1e-4)
    names = [choice.name for choice in space.choices]
    assert found["changes"]
    for change in found["changes"]:
        choice = names.index(change["choice"])
        values = [str(value) for value in space.choices[choice].values]
        assert change["now"] == values[row[choice]] != change["instead"]
        other = row.copy()
        other[choice] = values.index(change["instead"])
        both = space.canonical(np.stack([row, other]))
        ms, error = table.predict(both), by.source.predict(both)
        assert change["latency_ms"] == pytest.approx(ms[1] - ms[0], abs=1e-6)
        assert change["score"] == pytest.approx(error[0] - error[1], abs=1e-4)


def a_study(space: Space, **more: Any) -> Study:
    objectives = {"error": Sums(space).predict, "latency_ms": space.macs, **more}
    return minimize(space, objectives, {"latency_ms": 3e5}, searcher="random", budget=100)


def beaten(point: tuple[float, float], others: Floats) -> bool:
    """Whether something is no slower and no worse, and somewhere better."""
    ms, score = point
    at_least = (others[:, 1] <= ms) & (others[:, 0] <= -score)
    return bool((at_least & ((others[:, 1] < ms) | (others[:, 0] < -score))).any())


def test_fronts_after_shares_of_the_evaluations() -> None:
    space = tiny()
    study = a_study(space)
    grown = front_growth(study, guide(space, "sum, units"))
    assert grown is not None and grown["scale"] == "sum, units"
    assert [one["evaluations"] for one in grown["fronts"]] == [10, 25, 50, 100]
    for one in grown["fronts"]:
        number = one["evaluations"]
        seen = study.records.values[:number][study.feasible[:number]].round(4)
        expected = {(ms, -error) for error, ms in seen.tolist() if not beaten((ms, -error), seen)}
        assert {tuple(point) for point in one["points"]} == expected != set()
        assert one["points"] == sorted(one["points"])


def test_further_objectives_and_short_searches() -> None:
    space = tiny()
    study = a_study(space, turned=lambda X: -space.macs(X))
    assert len(study.front()) > len(a_study(space).front())
    assert front_growth(study, guide(space)) == front_growth(a_study(space), guide(space))
    brief = minimize(
        space,
        {"error": Sums(space).predict, "latency_ms": space.macs},
        searcher="random",
        budget=2,
    )
    short = front_growth(brief, guide(space))
    assert short is not None and [one["evaluations"] for one in short["fronts"]] == [1, 2]
    alone = minimize(space, {"error": space.macs}, searcher="random", budget=20)
    assert front_growth(alone, guide(space)) is None


def test_large_fronts_are_thinned() -> None:
    n = 3 * MOST + 1
    x = np.arange(n, dtype=float)
    parts = {
        "problem": SimpleNamespace(objectives=("error", "latency_ms")),
        "values": lambda self: np.column_stack([n - x, x]),
        "feasible": np.ones(n, dtype=bool),
    }
    study: Any = type("Made", (), {"__len__": lambda self: n, **parts})()
    grown = front_growth(study, guide(tiny()))
    assert grown is not None
    points = grown["fronts"][-1]["points"]
    assert len(points) == MOST and (points[0][0], points[-1][0]) == (0, n - 1)
