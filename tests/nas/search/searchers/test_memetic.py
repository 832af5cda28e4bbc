"""Evolution beside climbs: what they ask together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, Task, minimize
from nas.search.searchers import exchanges
from nas.search.searchers.exchanges import Exchanges
from nas.search.searchers.memetic import SHARE, memetic
from nas.search.searchers.nsga2 import nsga2

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("ofa-mobilenetv3", resolutions=[224])
SAMPLE = SPACE.sample(2_000, np.random.default_rng(0))
NAMES = [choice.name for choice in SPACE.choices]
DEPTH = max(place for place, name in enumerate(NAMES) if "depth" in name)
MOST = float(np.quantile(SPACE.parameters(SAMPLE), 0.5))
TASTE = np.random.default_rng(0).normal(size=(len(NAMES), 5))


def taste(rows: Rows) -> Floats:
    of = TASTE[np.arange(rows.shape[1]), rows] * SPACE.used(rows)
    return np.asarray(of.sum(axis=1))


def deep(rows: Rows) -> Floats:
    """Fails for the better half of networks: those that are deeper in the last stage."""
    return np.where(rows[:, DEPTH] >= 1, np.nan, taste(rows) - SPACE.macs(rows) / 1e8)


def large(rows: Rows) -> Floats:
    """Fails for the better half of networks: those that have more weights."""
    parameters = SPACE.parameters(rows)
    return np.where(parameters > MOST, np.nan, taste(rows) - parameters / 2e4)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("error", [deep, large])
def test_networks_that_fail_together_end_no_search(error: object, seed: int) -> None:
    """A climb's are alike, and twenty failures in a row would end the search."""
    assert callable(error)
    limit = float(np.quantile(SPACE.macs(SAMPLE), 0.7))
    objectives = {"error": error, "macs": SPACE.macs}
    study = minimize(SPACE, objectives, {"macs": limit}, "nsga2", 5_000, seed)
    assert len(study) == 5_000
    assert len(study.failures()) > 100


def test_until_the_first_climb_it_is_evolution_alone() -> None:
    task = Task(Problem(SPACE, ("error", "macs"), {"macs": 1e9}))
    both = [make(task, np.random.default_rng(0)) for make in (memetic, nsga2)]
    for _ in range(5):
        rows, alone = (searcher.ask(50).rows for searcher in both)
        np.testing.assert_array_equal(rows, alone)
        values = np.column_stack([taste(rows), SPACE.macs(rows)])
        for searcher in both:
            searcher.tell(Population(rows), values, values[:, 1:] / 1e9 - 1)


class Climb:
    """Asks for the rows it was given, as many as it may, and notes how many that are."""

    def __init__(self, rows: Rows, ended: bool) -> None:
        self.rows, self.ended = rows, ended
        self.asked: list[int] = []

    def ask(self, n: int) -> Rows:
        self.asked.append(n)
        return self.rows[:n]


def test_who_has_ended_leaves_its_share_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(Problem(SPACE, ("a", "b", "macs"), {"macs": 1.0}))
    searcher = memetic(task, np.random.default_rng(0))
    climbs = [Climb(SAMPLE[:50], False), Climb(SAMPLE[50:100], False)]
    monkeypatch.setattr(searcher, "_climbs", climbs)
    assert len(searcher.ask(40)) == 40
    climbs[0].ended = True
    assert len(searcher.ask(40)) == 40
    climbs[1].ended = True
    assert len(searcher.ask(40)) == 40
    share = int(SHARE * 40)
    assert [climb.asked for climb in climbs] == [[share // 2], [share // 2, share]]


def test_a_climb_has_ended_once_it_asks_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "FIRST", 100)
    monkeypatch.setattr(exchanges, "PATIENCE", 3)
    searcher = memetic(Task(Problem(SPACE, ("macs",), {"macs": 1e9})), np.random.default_rng(0))
    climb: Exchanges = searcher._climbs[0]  # type: ignore[attr-defined]
    for _ in range(100):
        assert not climb.ended
        rows = searcher.ask(100).rows
        searcher.tell(
            Population(rows), SPACE.macs(rows)[:, None] * 1.0, np.full((len(rows), 1), -1.0)
        )
        if climb.ended:
            break
    assert climb.ended
    assert not len(climb.ask(10))
