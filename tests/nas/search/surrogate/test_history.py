"""What was told is kept once, and what is learned from is the best and some of the rest."""

from __future__ import annotations

import numpy as np

import search_spaces
from nas.search import Population
from nas.search.surrogate import History

SPACE = search_spaces.get("small-images")


def told(objectives: list[list[float]], violations: list[float]) -> History:
    rows = SPACE.sample(len(objectives), np.random.default_rng(0))
    history = History(SPACE)
    history.add(Population(rows), np.array(objectives), np.array(violations)[:, None])
    return history


def test_parts_are_kept_in_order_also_empty_ones() -> None:
    rows = SPACE.sample(5, np.random.default_rng(0))
    values, over = np.arange(10.0).reshape(5, 2), np.array([[1.0], [-2], [0], [2], [0]])
    history = History(SPACE)
    for part in (slice(0, 0), slice(0, 2), slice(2, 2), slice(2, 5)):
        history.add(Population(rows[part]), values[part], over[part])
    assert len(history) == 5
    np.testing.assert_array_equal(history.rows, rows)
    np.testing.assert_array_equal(history.objectives, values)
    np.testing.assert_array_equal(history.violations, over)


def test_a_row_told_again_keeps_its_first_values() -> None:
    rows = SPACE.sample(3, np.random.default_rng(0))
    history = History(SPACE)
    history.add(Population(rows[:2]), np.ones((2, 1)), np.empty((2, 0)))
    history.add(Population(rows), np.full((3, 1), 2.0), np.empty((3, 0)))
    np.testing.assert_array_equal(history.objectives[:, 0], [1, 1, 2])


def test_the_front_is_of_what_is_feasible_and_else_the_least_violation() -> None:
    points = [[1.0, 4.0], [2.0, 2.0], [2.0, 2.0], [0.0, 0.0], [3.0, 3.0]]
    assert told(points, [0, -1, 0, 0.5, 0]).front().tolist() == [0, 1]
    assert told(points, [3, 2, 1, 0.5, 4]).front().tolist() == [3]


def test_half_of_what_is_learned_from_are_the_best() -> None:
    history = told([[float(i), float(i)] for i in range(40)], [0.0] * 40)
    assert history.typical(40, np.random.default_rng(0)).tolist() == list(range(40))
    part = history.typical(10, np.random.default_rng(0))
    assert part[:5].tolist() == list(range(5))
    assert len(np.unique(part)) == 10
    others = history.typical(10, np.random.default_rng(1))
    assert others[5:].tolist() != part[5:].tolist()


def test_the_feasible_are_learned_from_first() -> None:
    history = told([[float(i)] * 2 for i in range(40)], [1.0] * 30 + [0.0] * 10)
    part = history.typical(20, np.random.default_rng(0))
    assert set(range(30, 40)) <= set(part.tolist())
