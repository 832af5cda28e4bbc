"""What pymoo's algorithms do here, beside what the conformance suite asks of every searcher."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, Task, searchers
from nas.search.searchers import directions
from nas.search.searchers.age_survival import extremes, intercepts, norm, scores
from nas.search.searchers.moead import Members
from nas.search.searchers.nsga3 import nsga3
from nas.search.searchers.scalarise import Weighing, chebyshev

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("nas-bench-macro")
TARGET = np.array([[1, 2, 2, 1, 1, 2, 1, 2]])


def task(objectives: int = 2, evaluations: int | None = None) -> Task:
    names = tuple(f"bad{number}" for number in range(objectives))
    return Task(Problem(SPACE, names, {}), evaluations=evaluations)


def at_odds(rows: Rows) -> Floats:
    taste = rows @ np.random.default_rng(1).normal(size=rows.shape[1])
    return np.column_stack([taste, SPACE.macs(rows) / 1e6, (rows == 1).sum(axis=1)])


def none(rows: Rows) -> Floats:
    return np.empty((len(rows), 0))


@pytest.mark.parametrize("name", searchers.names())
def test_units_of_objectives_do_not_matter(name: str) -> None:
    asked = []
    # Powers of two, so that no digit is lost.
    for units in (np.ones(3), 2.0 ** np.array([30, -20, 0])):
        searcher = searchers.get(name).make(task(3), np.random.default_rng(0))
        for _ in range(8):
            rows = searcher.ask(16).rows
            searcher.tell(Population(rows), at_odds(rows) * units, none(rows))
        asked.append(rows)
    np.testing.assert_array_equal(*asked)


@pytest.mark.parametrize("name", searchers.names())
def test_global_generators_are_left_alone(name: str) -> None:
    asked = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
        searcher = searchers.get(name).make(task(2), np.random.default_rng(0))
        for _ in range(8):
            rows = searcher.ask(16).rows
            searcher.tell(Population(rows), at_odds(rows)[:, :2], none(rows))
        after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
        np.testing.assert_array_equal(before, after)
        asked.append(rows)
    np.testing.assert_array_equal(*asked)


EVOLVED = (
    *("age-moea", "ageing", "cma-es", "ctaea", "ga", "local", "moead"),
    *("nsga2", "nsga3", "ofa", "unsga3"),
)


@pytest.mark.parametrize("name", EVOLVED)
def test_one_objective_is_searched_to_its_optimum(name: str) -> None:
    """One network of 3,969, by distance from it: chance has met it after 400 in one of ten."""
    found = 0
    for seed in range(3):
        searcher = searchers.get(name).make(task(1, 400), np.random.default_rng(seed))
        for _ in range(20):
            rows = searcher.ask(20).rows
            distance = (rows != TARGET).sum(axis=1, dtype=np.float64)
            found += int((distance == 0).sum())
            searcher.tell(Population(rows), distance[:, None], none(rows))
    assert found == 3


def test_nsga3_keeps_what_is_nearest_to_its_directions() -> None:
    searcher = nsga3(task(), np.random.default_rng(0), size=11)
    first = np.random.default_rng(1).permutation(np.linspace(0, 1, 201))
    searcher.ask(201)
    rows = SPACE.sample(201, np.random.default_rng(2))
    searcher.tell(Population(rows), np.column_stack([first, 1 - first]) * [7, 0.1], none(rows))
    searcher.tell(Population(rows[:1]), np.array([[70.0, 10]]), none(rows[:1]))
    assert searcher._algorithm is not None
    kept = np.sort(searcher._algorithm.pop.get("F")[:, 0])
    np.testing.assert_allclose(kept, np.linspace(0, 1, 11), atol=0.005)


DIRECTIONS = np.array([[0.0, 1], [0.25, 0.75], [0.5, 0.5], [0.75, 0.25], [1, 0]])


def members() -> Members:
    """Each direction's own point, and one that no direction wants."""
    objectives = np.array([[10.0, 0], [3, 0.1], [2, 0.2], [1, 0.3], [0, 1], [9, 0.9]])
    return Members(DIRECTIONS, np.arange(6)[:, None], objectives, np.zeros(6))


def test_moead_gives_each_direction_what_is_best_for_it() -> None:
    # In units of the ranges, 10 and 1: (1, 0), (.3, .1), (.2, .2), (.1, .3), (0, 1).
    assert members().rows[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_moead_replaces_neighbours_that_are_worse_and_no_others() -> None:
    one = members()
    assert sorted(one.near[1].tolist()) == [0, 1, 2]
    # (.15, .15) is better than (.2, .2), not better than (.3, .1) at weights (.25, .75) (.1125
    # against .075), nor for the first, which has an objective of 0; the fourth is too far away.
    one.replace([1], np.array([[7]]), np.array([[1.5, 0.15]]), np.zeros(1))
    assert one.rows[:, 0].tolist() == [0, 1, 7, 3, 4]
    # What dominates all stays in its neighbourhood.
    one.replace([4], np.array([[8]]), np.array([[-5.0, -1]]), np.zeros(1))
    assert one.rows[:, 0].tolist() == [0, 1, 8, 8, 8]


def test_moead_keeps_limits_first() -> None:
    one = members()
    one.replace([2], np.array([[7]]), np.array([[-5.0, -1]]), np.array([0.5]))
    assert one.rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    many = Members(
        DIRECTIONS, np.arange(2)[:, None], np.array([[0.0, 0], [9, 9]]), np.array([2.0, 1])
    )
    assert (many.rows == 1).all()
    many.replace([2], np.array([[5]]), np.array([[99.0, 99]]), np.array([0.5]))
    assert many.rows[:, 0].tolist() == [1, 5, 5, 5, 1]


def sphere(p: float) -> Floats:
    """Points whose p-norm is 1, the ends first and last."""
    t = np.linspace(0, np.pi / 2, 21)
    points: Floats = np.column_stack([np.cos(t), np.sin(t)]).clip(0) ** (2 / p)
    return points


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 4.0])
def test_age_moea_sees_the_geometry_of_a_front(p: float) -> None:
    points = sphere(p) * [1, 1]
    ends = extremes(points)
    assert sorted(ends) == [0, 20]
    np.testing.assert_allclose(intercepts(points * [3, 50], ends), [3, 50])
    assert norm(points, ends) == pytest.approx(p)


def test_age_moea_scores_by_room_over_distance() -> None:
    # On a circle, p is 2. Points of the first front are at distance 1, at 0, 9, 45 and 90 degrees.
    t = np.radians([0, 9, 45, 90])
    points = np.concatenate([np.column_stack([np.cos(t), np.sin(t)]), [[1, 1], [2, 2]]])
    found = scores(points * [5, 0.1] + [7, 3], np.array([0, 0, 0, 0, 1, 2]))
    assert np.isinf(found[[0, 3]]).all()

    def chord(degrees: float) -> float:
        return 2 * float(np.sin(np.radians(degrees) / 2))

    # The middle is taken first, by its distances from both ends; then what is nearest to the other
    # are an end and the middle.
    expected = [2 * chord(45), chord(9) + chord(36), 1 / np.sqrt(2), 1 / np.sqrt(8)]
    np.testing.assert_allclose(found[[2, 1, 4, 5]], expected, rtol=1e-6)


def test_chebyshev_is_the_largest_share_and_a_little_of_the_sum() -> None:
    found = chebyshev(
        np.array([[3.0, 10], [5, 30]]),
        np.array([0.25, 0.75]),
        np.array([1.0, 10]),
        np.array([4, 20]),
    )
    # Shares (.5, 0) and (1, 1), weighed (.125, 0) and (.25, .75).
    np.testing.assert_allclose(found, [0.125 + 0.05 * 0.125, 0.75 + 0.05 * 1.0])


def test_what_is_dominated_is_worse_under_all_weights() -> None:
    rng = np.random.default_rng(4)
    better = rng.random((500, 3))
    worse = better + rng.random((500, 3)) * (rng.random((500, 3)) < 0.4)
    drawn = directions.drawn(500, 3, rng)
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 3, atol=0.05)
    zero, one = np.zeros(3), np.ones(3)
    differ = (worse > better).any(axis=1)
    assert (chebyshev(better, drawn, zero, one) < chebyshev(worse, drawn, zero, one))[differ].all()


def test_weights_hold_until_others_are_drawn() -> None:
    # Units are those of the front, (0, 100) to (2, 40); the last two points are dominated.
    points = np.array([[0.0, 100], [1, 50], [2, 40], [9, 900], [3, 41]])
    one = Weighing.drawn(points, np.random.default_rng(6))
    np.testing.assert_array_equal(one.ideal, [0, 40])
    np.testing.assert_array_equal(one.spread, [2, 60])
    np.testing.assert_array_equal(one(points)[3:], one(points[3:]))
