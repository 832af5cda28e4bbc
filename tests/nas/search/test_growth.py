"""Fronts and hypervolumes of a growing search, against counting and against all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas.search import growth
from nas.search.growth import Growing, Growth, fronts, hypervolumes
from nas.search.pareto import hypervolume
from nas.search.volume import Estimated


def brute(points: np.ndarray) -> set[tuple[float, ...]]:
    """Those that no other is nowhere worse than and somewhere better, by looking at all pairs."""
    rows = [tuple(row) for row in points.tolist()]
    return {
        a
        for a in rows
        if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in rows)
    }


def counted(points: np.ndarray, reference: tuple[int, ...]) -> int:
    """Unit cells below ``reference`` that some point of a grid dominates."""
    cells = itertools.product(*(range(corner) for corner in reference))
    return sum(bool((points <= np.array(cell)).all(axis=1).any()) for cell in cells)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("grid", [4, 1000])
def test_what_is_added_in_parts_is_the_front_of_all(objectives: int, grid: int) -> None:
    rng = np.random.default_rng(objectives)
    points = rng.integers(0, grid, (300, objectives)).astype(float)
    growing = Growing(objectives)
    for start in range(0, 300, 37):
        growing.add(points[start : start + 37])
        seen = points[: start + 37]
        assert {tuple(row) for row in growing.points.tolist()} == brute(seen)
        assert len(growing.points) == len(brute(seen)), "equal points stand once"
    growing.add(np.empty((0, objectives)))
    assert {tuple(row) for row in growing.points.tolist()} == brute(points)


def test_a_front_larger_than_what_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "STRONG", 2)
    x = np.arange(50.0)
    growing = Growing(2)
    growing.add(np.column_stack([x, 100 - 2 * x]))
    growing.add(np.column_stack([x + 0.5, 100 - 2 * x]))  # Each is beaten by one of the front.
    growing.add(np.column_stack([x + 0.5, 98.5 - 2 * x]))  # None is.
    assert len(growing.points) == 100


@pytest.mark.parametrize("reference", [(9,), (7, 9), (5, 7, 6), (4, 3, 5, 4)])
def test_volumes_are_as_counted(reference: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(reference))
    for _ in range(20):
        points = rng.integers(0, 10, (6, len(reference))).astype(float)
        found = hypervolume(points, np.array(reference, dtype=float))
        assert found == pytest.approx(counted(points, reference))


def test_nothing_below_the_reference_has_no_volume() -> None:
    for objectives in (1, 2, 3):
        reference = np.ones(objectives)
        assert hypervolume(np.empty((0, objectives)), reference) == 0
        assert hypervolume(np.ones((2, objectives)), reference) == 0


def test_infeasible_networks_are_in_no_front() -> None:
    objectives = np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    feasible = np.array([False, True, True, True, True])
    found = fronts(objectives, feasible, [1, 2, 4, 5, 9])
    assert [front.tolist() for front in found] == [
        [],
        [[3, 1]],
        [[1, 3], [2, 2], [3, 1]],
        [[1, 1]],
        [[1, 1]],
    ]
    volumes = hypervolumes(objectives, feasible, [1, 2, 4, 5, 9], np.array([4.0, 4.0]))
    assert volumes.tolist() == [0, 3, 6, 9, 9]


@pytest.mark.parametrize("objectives", [3, 6, 7])
def test_an_estimate_is_near_the_exact_volume(objectives: int) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        # Units differ: percent beside milliseconds.
        points = rng.random((30, objectives)) * np.array([30, *[0.5] * (objectives - 1)]) + 1
        reference = points.max(axis=0)
        estimated = Estimated(reference, points.min(axis=0))
        estimated.add(points)
        assert estimated.volume == pytest.approx(hypervolume(points, reference), rel=0.03)


@pytest.mark.parametrize(("objectives", "share"), [(9, 0.05), (12, 0.1)])
def test_an_estimate_is_near_the_volume_of_three_boxes(objectives: int, share: float) -> None:
    for seed in range(5):
        points = np.random.default_rng(seed).random((3, objectives))
        reference = np.full(objectives, 1.1)

        def common(*boxes: int, of: np.ndarray = points, to: np.ndarray = reference) -> float:
            return float(np.prod(to - of[list(boxes)].max(axis=0)))

        pairs = common(0, 1) + common(0, 2) + common(1, 2)
        volume = common(0) + common(1) + common(2) - pairs + common(0, 1, 2)
        estimated = Estimated(reference, points.min(axis=0))
        estimated.add(points)
        assert estimated.volume == pytest.approx(volume, rel=share)


def test_an_estimate_of_one_box_and_of_parts() -> None:
    reference, ideal = np.full(8, 3.0), np.ones(8)
    estimated = Estimated(reference, ideal)
    estimated.add(np.full((1, 8), 1.0))
    assert estimated.volume == pytest.approx(2.0**8, rel=0.1)
    before = estimated.volume
    estimated.add(np.array([[2.0] * 8, [3.0] * 8, [0.0] * 7 + [3.0]]))
    assert estimated.volume == before, "dominated, or not below the reference point"
    estimated.add(np.array([[0.5] * 4 + [1.5] * 4]))
    together = Estimated(reference, ideal)
    together.add(np.array([[0.5] * 4 + [1.5] * 4, [1.0] * 8]))
    assert estimated.volume == together.volume > before


def test_many_objectives_grow_in_seconds_and_never_shrink() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((300, 9))
    feasible = np.ones(300, dtype=bool)
    numbers = list(range(10, 301, 10))
    volumes = hypervolumes(points, feasible, numbers, np.ones(9), np.zeros(9))
    fewer = hypervolumes(points[::2], feasible, [150], np.ones(9), np.zeros(9))
    assert fewer[0] <= volumes[-1], "of other searches too"
    assert (np.diff(volumes) >= 0).all() and volumes[-1] > volumes[0] > 0
    grown = Growth()
    for number in numbers:
        grown.add(points[number - 10 : number], number)
    along = [volume for _, volume in grown.history]
    assert along == sorted(along)
    assert grown.front is not None and len(grown.front) == len(brute(points))
    low, high = points[:20].min(axis=0), points[:20].max(axis=0)
    whole = Estimated(high + 0.1 * (high - low), low)
    whole.add(points)
    assert along[-1] == pytest.approx(whole.volume, rel=1e-12)
