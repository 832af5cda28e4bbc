from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function

from nas.search.searchers.elite import Elite
from nas.search.searchers.ranking import best_first, crowding, ranks

Floats = npt.NDArray[np.float64]


def peeled(points: Floats) -> npt.NDArray[np.int64]:
    """Fronts by their definition: what nothing left dominates goes next."""
    fronts = np.full(len(points), -1)
    front = 0
    while (fronts < 0).any():
        left = np.flatnonzero(fronts < 0)
        for i in left:
            worse = (points[left] <= points[i]).all(axis=1) & (points[left] < points[i]).any(axis=1)
            if not worse.any():
                fronts[i] = front
        front += 1
    return fronts


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_fronts_are_peeled_one_by_one(objectives: int) -> None:
    points = np.random.default_rng(0).integers(0, 6, (60, objectives)).astype(float)
    np.testing.assert_array_equal(ranks(points), peeled(points))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_crowding_is_pymoos(objectives: int) -> None:
    rng = np.random.default_rng(1)
    points = rng.random((80, objectives)) * [1, 1000, 0.01][:objectives]
    fronts = rng.integers(0, 3, 80)
    found = crowding(points, fronts)
    for front in range(3):
        theirs = get_crowding_function("cd").do(points[fronts == front])
        # pymoo divides by the number of objectives.
        np.testing.assert_allclose(found[fronts == front], theirs * objectives)


def test_equal_points_are_not_apart() -> None:
    found = crowding(np.array([[0.0, 2], [1, 1], [1, 1], [1, 1], [2, 0]]), np.zeros(5, dtype=int))
    assert np.isinf(found[[0, 4]]).all()
    # Of the three that are equal the middle one has no room on either side, in both objectives.
    assert sorted(found[1:4]) == [0.0, 1.0, 1.0]


def test_feasible_first_then_by_front_then_by_room_then_by_violation() -> None:
    objectives = np.array([[9.0, 9], [0, 0], [1, 3], [3, 1], [1.1, 2.9], [2, 2], [5, 5]])
    violation = np.array([2.0, 1, 0, 0, 0, 0, 0])
    order = best_first(objectives, violation).tolist()
    assert set(order[:2]) == {2, 3}
    # 4 sits close to 2, 5 has more room.
    assert order[2:] == [5, 4, 6, 1, 0]


def test_one_objective_is_its_own_order() -> None:
    values = np.random.default_rng(2).permutation(30).astype(float)
    np.testing.assert_array_equal(best_first(values[:, None], np.zeros(30)), values.argsort())


def test_an_elite_is_the_best_of_all_that_was_told() -> None:
    rng = np.random.default_rng(3)
    rows, values = np.arange(50)[:, None], rng.permutation(50).astype(float)[:, None]
    violations = np.where(rng.random((50, 2)) < 0.5, -1.0, rng.random((50, 2)))
    elite = Elite(12)
    for start in range(0, 50, 7):
        part = slice(start, start + 7)
        elite.add(rows[part], values[part], violations[part])
    total = np.maximum(violations, 0).sum(axis=1)
    expected = sorted(range(50), key=lambda i: (total[i], values[i, 0] if total[i] == 0 else 0))
    assert elite.rows[:, 0].tolist() == expected[:12]
    np.testing.assert_array_equal(elite.objectives, values[expected[:12]])
    np.testing.assert_array_equal(elite.violation, total[expected[:12]])
