"""Searchers with a model learn which networks fail, from what they asked and were never told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, Study, Task, minimize
from nas.search.searchers.catalogue import get
from nas.search.surrogate.answers import Chance

SPACE = search_spaces.get("small-images", resolutions=(8, 12), num_classes=10)
NAMES = ["auto", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobo", "linas"))]
SEEDS = range(3)
BUDGET = 40
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Fails = Callable[[Rows], Floats]


def half(rows: Rows) -> Floats:
    return np.asarray(np.where(rows[:, 0] == 0, np.nan, -np.log(SPACE.macs(rows))))


def large(rows: Rows) -> Floats:
    return np.asarray(np.where(SPACE.parameters(rows) > 150e3, np.nan, -np.log(SPACE.macs(rows))))


def searched(name: str, fails: Fails, seed: int) -> Study:
    return minimize(
        SPACE,
        {"error": fails, "macs": SPACE.macs},
        {"macs": 2e6},
        name,
        BUDGET,
        seed,
        piece=1,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fails", [half, large])
def test_what_fails_is_asked_less_and_less(name: str, fails: Fails) -> None:
    pool = SPACE.sample(5_000, np.random.default_rng(0))
    by_chance = np.isnan(fails(pool[SPACE.macs(pool) <= 2e6])).mean()
    assert by_chance > 0.45
    late = []
    for seed in SEEDS:
        study = searched(name, fails, seed)
        assert len(study) == BUDGET
        assert study.front()
        late.append(np.isnan(study.values()[BUDGET // 2 :]).any(axis=1))
    assert np.mean(late) <= 0.75 * by_chance


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_search_alike_where_networks_fail(name: str) -> None:
    first, second = (searched(name, half, 0).records.rows for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("name", NAMES)
def test_while_nothing_fails_nobody_asks_who_might(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chance, "__init__", None)
    searched(name, lambda rows: -np.log(SPACE.macs(rows)), 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_start_that_fails_goes_on_elsewhere(name: str) -> None:
    """Most networks fail, and while all that are asked do, nothing is ever told."""
    limit = 7e5
    pool = SPACE.sample(5_000, np.random.default_rng(0))
    by_chance = np.isnan(half(pool[SPACE.macs(pool) <= limit])).mean()
    assert by_chance > 0.9
    problem = Problem(SPACE, ("error",), {"macs": limit})
    task = Task(problem, {"macs": SPACE.macs}, evaluations=BUDGET)
    last = []
    for seed in range(8):
        searcher = get(name).make(task, np.random.default_rng(seed))
        for _ in range(4):
            rows = searcher.ask(5).rows
            if not np.isnan(half(rows)).all():
                break
            searcher.tell(Population(rows[:0]), np.empty((0, 1)), np.empty((0, 1)))
        else:
            last.append(np.isnan(half(searcher.ask(5).rows)).mean())
    assert len(last) >= 3
    assert np.mean(last) < 0.5 * by_chance
