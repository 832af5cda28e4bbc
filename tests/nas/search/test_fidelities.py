"""Brackets of trials at growing fidelity, on a toy whose ranking settles with fidelity."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Graded, Population, Problem, Searcher, SearchError, Task, minimize, searchers
from nas.search.searchers.fidelities import deepening, depth, halvings
from nas.search.searchers.ranking import best_first, crowding
from nas.search.searchers.rungs import Rung, halving, hyperband
from search_spaces import Net, Space, one_of
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("small-images")


def make(name: str, seed: int = 0, graded: bool = True, limits: int = 0) -> Searcher:
    problem = Problem(SPACE, ("error",), {f"limited{i}": 0.0 for i in range(limits)})
    task = Task(problem, graded=graded)
    return searchers.get(name).make(task, np.random.default_rng(seed))


def errors(rows: Rows, fidelity: Floats) -> Floats:
    """The truth, and a mistake of each network's own that fades with fidelity."""
    taste = np.random.default_rng(1).normal(size=(2, rows.shape[1]))
    truth, mistake = np.where(SPACE.used(rows), rows, 0) @ taste.T / 4, rows @ taste[1]
    return truth[:, 0] + (1 - fidelity) * np.sin(3 * mistake)


def tell(searcher: Searcher, asked: Population) -> Floats:
    assert asked.fidelity is not None
    values = errors(asked.rows, asked.fidelity)
    searcher.tell(asked, values[:, None], np.empty((len(values), 0)))
    return values


def test_rungs_of_the_papers() -> None:
    assert halving(27, -3, 4) == (Rung(27, -3), Rung(9, -2), Rung(3, -1), Rung(1, 0))
    assert Rung(1, 0).fidelity == 1.0
    assert Rung(9, -2).fidelity == pytest.approx(1 / 9)
    # The table in Hyperband's paper for R = 81 and eta = 3.
    sizes = [[rung.size for rung in bracket] for bracket in hyperband(0, 4)]
    assert sizes == [[81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]
    assert [bracket[0].level for bracket in hyperband(0, 4)] == [-4, -3, -2, -1, 0]
    assert {bracket[-1].level for bracket in hyperband(-1, 2)} == {-1}


def test_the_best_third_goes_on() -> None:
    searcher = make("halving")
    asked = searcher.ask(27)
    for level, survivors in ((-3, 9), (-2, 3), (-1, 1), (0, 0)):
        np.testing.assert_allclose(asked.fidelity, 3.0**level)
        values = tell(searcher, asked)
        best = asked.rows[np.argsort(values, kind="stable")[:survivors]]
        if survivors:
            asked = searcher.ask(survivors)
            np.testing.assert_array_equal(asked.rows, best)
    # And then it begins again with other networks.
    again = searcher.ask(27)
    np.testing.assert_allclose(again.fidelity, 1 / 27)


# Of so many epochs one is the least that can be trained: levels as 1, 3, 9 and 27 of 27.
@pytest.mark.parametrize(
    ("epochs", "levels"), [(1, 0), (2, 0), (3, 1), (8, 1), (9, 2), (26, 2), (27, 3), (300, 3)]
)
def test_no_level_is_below_the_least_that_can_be_tried(epochs: int, levels: int) -> None:
    assert depth(1 / epochs) == levels
    task = Task(Problem(SPACE, ("error",), {}), graded=True, least=1 / epochs)
    for name in ("halving", "hyperband"):
        asked = searchers.get(name).make(task, np.random.default_rng(0)).ask(1)
        np.testing.assert_allclose(asked.fidelity, 3.0**-levels)


@pytest.mark.parametrize("least", [-0.1, 1.5, np.nan])
def test_the_least_is_a_share(least: float) -> None:
    with pytest.raises(SearchError, match="from 0 to 1, a share of the whole"):
        Graded(errors, least)


# Brackets of successive halving, each of which takes as many whole evaluations as it has rungs.
@pytest.mark.parametrize(
    ("least", "budget", "bracket"),
    [(1 / 9, 3, {9: 9, 3: 3, 1: 1}), (1 / 27, 4, {27: 27, 9: 9, 3: 3, 1: 1})],
)
@pytest.mark.parametrize("times", [1, 3])
def test_shares_of_evaluations_add_up_to_the_budget(
    least: float, budget: int, bracket: dict[int, int], times: int
) -> None:
    study = minimize(
        SPACE, {"error": Graded(errors, least)}, None, "halving", times * budget, batch=1
    )
    tried = Counter(np.round(1 / study.records.fidelity).astype(int).tolist())
    assert tried == {cost: times * count for cost, count in bracket.items()}
    assert study.ended_by == "evaluations"


@pytest.mark.parametrize("make_", [halvings, deepening])
def test_what_is_thought_well_of_comes_first_and_never_twice(make_: Any) -> None:
    first = SPACE.sample(12, np.random.default_rng(5))
    first = first[np.sort(np.unique(first, axis=0, return_index=True)[1])]
    twice = np.concatenate([first, first])
    task = Task(Problem(SPACE, ("error",), {}), graded=True, least=1 / 9)
    searcher = make_(task, np.random.default_rng(0), twice)
    asked: list[tuple[bytes, int]] = []
    for _ in range(40):
        one = searcher.ask(1)
        tell(searcher, one)
        asked.append((one.rows[0].tobytes(), round(1 / one.fidelity[0])))
    assert len(set(asked)) == 40
    cheapest = [row for row, cost in asked if cost == 9]
    assert cheapest[: len(first)] == [row.tobytes() for row in first]


@pytest.mark.parametrize("make_", [halvings, deepening])
def test_what_breaks_a_free_limit_is_not_tried(make_: Any) -> None:
    macs = SPACE.macs(SPACE.sample(2000, np.random.default_rng(3)))
    limit = float(np.quantile(macs, 0.05))
    first = SPACE.sample(30, np.random.default_rng(4))
    asked: list[Rows] = []

    def graded(rows: Rows, fidelity: Floats) -> Floats:
        asked.append(rows)
        return errors(rows, fidelity)

    study = minimize(
        SPACE,
        {"error": Graded(graded, 1 / 9)},
        {"macs": limit},
        lambda task, rng: make_(task, rng, first),
        30,
        functions={"macs": SPACE.macs},
        batch=1,
    )
    tried = np.concatenate(asked)
    assert len(tried) > 60 and (SPACE.macs(tried) <= limit).all()
    assert study.feasible.any()


def test_limits_go_before_objectives() -> None:
    searcher = make("halving", limits=1)
    asked = searcher.ask(27)
    above = np.arange(27.0)[:, None] - 5  # Six keep the limit, then the least above it.
    searcher.tell(asked, -np.arange(27.0)[:, None], above)
    expected = asked.rows[[5, 4, 3, 2, 1, 0, 6, 7, 8]]
    np.testing.assert_array_equal(searcher.ask(9).rows, expected)


def test_a_batch_larger_than_a_rung_is_filled_from_the_next_bracket() -> None:
    searcher = make("halving")
    tell(searcher, searcher.ask(27))
    asked = searcher.ask(30)
    assert asked.fidelity is not None
    assert Counter(np.round(1 / asked.fidelity).astype(int)) == {9: 9, 27: 21}
    tell(searcher, asked)
    asked = searcher.ask(10)
    assert asked.fidelity is not None
    assert Counter(np.round(1 / asked.fidelity).astype(int)) == {3: 3, 27: 7}


def test_trials_that_fail_hold_nobody_up() -> None:
    searcher = make("halving")
    asked = searcher.ask(27)
    assert asked.fidelity is not None
    told = Population(asked.rows[5:], asked.fidelity[5:])
    values = tell(searcher, told)
    expected = told.rows[np.argsort(values, kind="stable")[:9]]
    promoted = searcher.ask(9)
    np.testing.assert_array_equal(promoted.rows, expected)
    # All of a rung may fail: nobody is left, and the next bracket begins.
    searcher.tell(Population(promoted.rows[:0]), np.empty((0, 1)), np.empty((0, 0)))
    np.testing.assert_allclose(searcher.ask(27).fidelity, 1 / 27)


@pytest.mark.parametrize("name", ["halving", "hyperband"])
@pytest.mark.parametrize("batch", [1, 8, 50])
def test_nothing_is_asked_twice_and_promotions_were_tried_below(name: str, batch: int) -> None:
    searcher = make(name)
    seen: set[tuple[bytes, float]] = set()
    whole = 0
    while len(seen) < 400:
        asked = searcher.ask(batch)
        assert len(asked) == batch
        assert asked.fidelity is not None
        np.testing.assert_array_equal(asked.rows, SPACE.canonical(asked.rows))
        trials = {
            (row.tobytes(), round(1 / f)) for row, f in zip(asked.rows, asked.fidelity, strict=True)
        }
        assert len(trials) == batch
        assert not trials & seen
        if name == "halving":
            assert all(cost == 27 or (row, 3 * cost) in seen for row, cost in trials)
        seen |= trials
        whole += sum(cost == 1 for _, cost in trials)
        tell(searcher, asked)
    assert whole >= 5


def test_deepening_takes_over_what_was_tried() -> None:
    searcher = make("hyperband", seed=1)
    trials: list[tuple[bytes, int]] = []
    # Depth 0: one trial at a 27th. Depth 1: three there, of which one goes on, and two at a 9th:
    # the smallest network and the largest, which is the one that went on.
    for level, size in ((-3, 1), (-3, 2), (-2, 1), (-2, 1)):
        asked = searcher.ask(size)
        np.testing.assert_allclose(asked.fidelity, 3.0**level)
        tell(searcher, asked)
        trials += [(row.tobytes(), level) for row in asked.rows]
    # Depth 2: nine at a 27th, six of them new; of the nine the best three at a 9th.
    asked = searcher.ask(6)
    np.testing.assert_allclose(asked.fidelity, 1 / 27)
    tell(searcher, asked)
    trials += [(row.tobytes(), -3) for row in asked.rows]
    first = [np.frombuffer(row, dtype=np.int64) for row, level in trials if level == -3]
    assert len(first) == 9
    values = errors(np.stack(first), np.full(9, 1 / 27))
    best = [first[i].tobytes() for i in np.argsort(values, kind="stable")[:3]]
    tried = {row for row, level in trials if level == -2}
    missing = [row for row in best if row not in tried]
    assert len(missing) < 3  # The best of the first three is among them.
    asked = searcher.ask(len(missing))
    assert [row.tobytes() for row in asked.rows] == missing
    np.testing.assert_allclose(asked.fidelity, 1 / 9)


@pytest.mark.parametrize(("name", "share"), [("halving", 0.1), ("hyperband", 0.35)])
def test_whole_evaluations_go_to_better_networks_than_chance_would_pick(
    name: str, share: float
) -> None:
    # A part of Hyperband's whole evaluations is of candidates that nothing was known of.
    found, cost = [], 0.0
    searcher = make(name)
    while cost < 60:
        asked = searcher.ask(9)
        values = tell(searcher, asked)
        assert asked.fidelity is not None
        cost += float(asked.fidelity.sum())
        found += values[asked.fidelity > 0.99].tolist()
    rows = SPACE.sample(2_000, np.random.default_rng(0))
    chance = errors(rows, np.ones(len(rows)))
    assert np.median(found) < np.quantile(chance, share)
    assert min(found) < np.quantile(chance, 0.01)


@pytest.mark.parametrize("name", ["halving", "hyperband"])
def test_where_nothing_is_graded_every_trial_is_whole(name: str) -> None:
    assert make(name, graded=False).ask(30).fidelity is None


def test_a_small_space_is_used_up() -> None:
    net = Net(image=(3, 8))
    net("a", Conv, out=one_of(8, 16, 24), kernel=one_of(1, 3))
    net("classifier", Classifier, classes=2)
    space = Space(net, "six")
    task = Task(Problem(space, ("error",), {}), graded=True)
    searcher = searchers.get("hyperband").make(task, np.random.default_rng(0))
    trials = 0
    while len(asked := searcher.ask(5)):
        searcher.tell(asked, asked.rows.sum(axis=1)[:, None] * 1.0, np.empty((len(asked), 0)))
        trials += len(asked)
    # Candidates start at every level; more trials than networks by levels there are none.
    assert trials == 4 * space.size


def test_ranking_by_hand() -> None:
    objectives = np.array([[1.0, 5.0], [2.0, 2.0], [5.0, 1.0], [3.0, 3.0], [0.0, 0.0], [2.1, 1.9]])
    violation = np.zeros(6)
    violation[4] = 1.0  # The best does not keep the limit.
    order = best_first(objectives, violation)
    assert set(order[:2]) == {0, 2}  # The ends of the first front.
    assert list(order[4:]) == [3, 4]
    np.testing.assert_allclose(
        crowding(np.array([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0]]), np.zeros(3, dtype=np.int64)),
        [np.inf, 2.0, np.inf],
    )
    # One objective: ascending.
    single = np.array([[3.0], [1.0], [2.0]])
    assert best_first(single, np.zeros(3)).tolist() == [1, 2, 0]


@pytest.mark.parametrize("name", ["halving", "hyperband"])
def test_a_free_function_is_never_asked_about_no_rows(name: str) -> None:
    def parameters(rows: Rows) -> Floats:
        return np.stack([float(SPACE.parameters(row[None])[0]) for row in rows])

    graded = {"error": Graded(errors, 1 / 9)}
    given = {"functions": {"parameters": parameters}, "free": ["parameters"]}
    study = minimize(SPACE, graded, {"parameters": 1e12}, name, 3, **given)  # type: ignore[arg-type]
    assert len(study) > 3


def rows_of(found: Rows) -> set[tuple[int, ...]]:
    return set(map(tuple, found.tolist()))


def test_halving_says_who_may_go_on() -> None:
    task = Task(Problem(SPACE, ("error",), {}), graded=True, least=1 / 9)
    searcher = halvings(task, np.random.default_rng(0))
    asked = searcher.ask(9)
    values = tell(searcher, asked)
    best = asked.rows[np.argsort(values)[:3]]
    assert rows_of(searcher.begun()) == rows_of(asked.rows)
    assert rows_of(searcher.open()) == rows_of(best)
    tell(searcher, searcher.ask(3))
    # One of them is left, until it was tried in full.
    assert len(searcher.open()) == 1
    tell(searcher, searcher.ask(1))
    assert not len(searcher.open()) and len(searcher.begun()) == 9


def test_of_a_failure_nothing_goes_on() -> None:
    task = Task(Problem(SPACE, ("error",), {}), graded=True, least=1 / 3)
    searcher = halvings(task, np.random.default_rng(0))
    asked = searcher.ask(3)
    tell(searcher, Population(asked.rows[:1], asked.fidelity[:1]))  # type: ignore[index]
    assert rows_of(searcher.open()) == rows_of(asked.rows[:1])
    searcher.ask(1)
    assert not len(searcher.open())


def test_what_deepening_takes_up_again_is_open_until_all_is_whole() -> None:
    task = Task(Problem(SPACE, ("error",), {}), graded=True, least=1 / 9)
    searcher = deepening(task, np.random.default_rng(0))
    # Rounds up to a ninth, a third and the whole: 1, then 3 + 2, then 9 + 5 + 3 candidates.
    while len(searcher.begun()) < 1 + (3 + 2) + (9 + 5 + 3):
        assert rows_of(searcher.open()) == rows_of(searcher.begun())
        tell(searcher, searcher.ask(1))
    assert len(searcher.open()) == 3
