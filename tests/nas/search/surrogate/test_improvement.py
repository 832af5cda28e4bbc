"""Expected improvements against boxes worked out by hand and against draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from nas.search.pareto import hypervolume
from nas.search.surrogate.improvement import expected_below, expected_improvement

Floats = npt.NDArray[np.float64]

STAIRS = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
CORNER = np.array([4.0, 4.0])


@pytest.mark.parametrize(
    ("point", "gain"),
    [
        ((0.0, 0.0), 10.0),  # All of 4 x 4, less the 6 that the stairs dominate.
        ((1.5, 1.5), 1.25),  # A square of 1.5 below and beside the middle step, less what is had.
        ((0.0, 3.5), 0.5),  # Left of the first step.
        ((2.0, 2.0), 0.0),
        ((3.5, 3.5), 0.0),
        ((5.0, 0.0), 0.0),
        ((-1.0, 2.5), 3.5),
    ],
)
def test_a_known_point_gains_what_it_newly_dominates(
    point: tuple[float, float], gain: float
) -> None:
    mean = np.array([point])
    found = expected_improvement(mean, np.zeros_like(mean), STAIRS, CORNER)
    before = hypervolume(STAIRS, CORNER)
    after = hypervolume(np.concatenate([STAIRS, mean]), CORNER)
    assert found == pytest.approx([after - before])
    assert found == pytest.approx([gain])


def test_two_objectives_as_draws_say() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.uniform(0, 4, (4, 2)), rng.uniform(0.1, 1.5, (4, 2))
    std[0, 1] = 0
    found = expected_improvement(mean, std, STAIRS, CORNER)
    before = hypervolume(STAIRS, CORNER)
    for i in range(len(mean)):
        draws = rng.normal(mean[i], std[i], (800, 2))
        gains = [hypervolume(np.concatenate([STAIRS, draw[None]]), CORNER) for draw in draws]
        error = np.std(gains) / len(gains) ** 0.5
        assert found[i] == pytest.approx(np.mean(gains) - before, abs=4 * error + 1e-9)


def test_three_objectives_as_a_fine_grid_says() -> None:
    front = np.array([[0.2, 0.8, 0.4], [0.6, 0.2, 0.6], [0.4, 0.6, 0.2], [0.8, 0.8, 0.0]])
    points = np.array([[0.4, 0.4, 0.4], [0.0, 0.0, 0.0], [0.2, 0.6, 0.0], [0.6, 0.2, 0.8]])
    found = expected_improvement(points, np.zeros_like(points), front, np.ones(3))
    # Corners are multiples of 0.2, so that cells of 0.2 are dominated whole or not at all.
    cells = (np.indices((5, 5, 5)).reshape(3, -1).T + 0.5) / 5
    had = (front[:, None] <= cells).all(axis=2).any(axis=0)
    for point, gain in zip(points, found, strict=True):
        new = (point <= cells).all(axis=1) & ~had
        assert gain == pytest.approx(new.sum() / 125)


def test_one_objective_is_the_textbook_expected_improvement() -> None:
    mean, std, best = np.array([[0.3], [1.2]]), np.array([[0.5], [0.7]]), 1.0
    found = expected_improvement(mean, std, np.array([[best], [1.5]]), np.array([9.0]))
    z = (best - mean[:, 0]) / std[:, 0]
    expected = (best - mean[:, 0]) * norm.cdf(z) + std[:, 0] * norm.pdf(z)
    np.testing.assert_allclose(found, expected)


def test_without_a_front_everything_below_the_corner_counts() -> None:
    mean = np.array([[1.0, 3.0]])
    found = expected_improvement(mean, np.zeros((1, 2)), np.empty((0, 2)), CORNER)
    assert found == pytest.approx([3.0])


def test_a_length_is_never_negative_and_follows_the_mean_where_nothing_is_unknown() -> None:
    found = expected_below(1.0, np.array([0.25, 2.0, 30.0]), np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(found[:2], [0.75, 0.0])
    assert found[2] >= 0


def test_a_long_front_is_thinned_which_promises_somewhat_more() -> None:
    angle = np.linspace(0, np.pi / 2, 60)
    height = np.linspace(0, 1, 25)
    grid = [(np.cos(a) * np.sqrt(1 - h**2), np.sin(a) * np.sqrt(1 - h**2), h)
            for a in angle for h in height]  # fmt: skip
    front = 1 - np.array(grid)
    rng = np.random.default_rng(0)
    point = np.full((1, 3), 0.2)
    gain = expected_improvement(point, np.zeros((1, 3)), front, np.ones(3))[0]
    draws = rng.uniform(0.2, 1, (20_000, 3))
    new = ~np.array([(front <= draw).all(axis=1).any() for draw in draws])
    exact = new.mean() * 0.8**3
    assert exact < gain < 1.6 * exact
