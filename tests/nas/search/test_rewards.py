"""What one number objectives are worth: values by hand."""

from __future__ import annotations

import numpy as np

from nas.search.searchers.directions import drawn
from nas.search.searchers.policy_gradient import ABOVE_LIMIT, ABOVE_TARGET, earned
from nas.search.searchers.preference import AUGMENTED, ranks, rewards


def test_ranks_are_shares_with_ties_in_their_middle() -> None:
    values = np.array([[30.0, 1.0], [10.0, 1.0], [20.0, 5.0], [-5.0, 1.0], [99.0, 0.0]])
    expected = [[0.75, 0.5], [0.25, 0.5], [0.5, 1.0], [0.0, 0.5], [1.0, 0.0]]
    np.testing.assert_allclose(ranks(values), expected)
    np.testing.assert_allclose(ranks(np.array([[7.0]])), [[0.5]])


def test_each_preference_has_its_best_row() -> None:
    # Ranks 0, 1/3, 2/3, 1 and the reverse.
    objectives = np.array([[1.0, 9.0], [2.0, 5.0], [3.0, 4.0], [4.0, -1.0]])
    preferences = np.array([[1.0, 0.0], [0.6, 0.4], [0.0, 1.0]])
    worth = rewards(objectives, np.empty((4, 0)), preferences)
    np.testing.assert_allclose(worth[:, 0], [1, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(worth[:, 2], [0, 1 / 3, 2 / 3, 1])
    # Distances: max(.6 a, .4 b) and a twentieth of their sum.
    shares = [(0, 1), (1 / 3, 2 / 3), (2 / 3, 1 / 3), (1, 0)]
    far = [max(0.6 * a, 0.4 * b) + AUGMENTED * (0.6 * a + 0.4 * b) for a, b in shares]
    assert [far.index(value) for value in sorted(far)] == [1, 0, 2, 3]
    np.testing.assert_allclose(worth[:, 1], [2 / 3, 1, 1 / 3, 0])


def test_limits_come_before_objectives() -> None:
    objectives = np.array([[1.0], [2.0], [3.0], [4.0]])
    violations = np.array([[0.5, 0.6], [-1.0, 0.1], [-3.0, 0.0], [0.0, -2.0]])
    worth = rewards(objectives, violations, np.ones((1, 1)))[:, 0]
    np.testing.assert_allclose(worth, [0, 1 / 3, 1, 2 / 3])


def test_one_objective_has_one_preference() -> None:
    np.testing.assert_array_equal(drawn(3, 1, np.random.default_rng(0)), np.ones((3, 1)))


def test_drawn_preferences_cover_the_simplex() -> None:
    found = drawn(20_000, 3, np.random.default_rng(0))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.mean(axis=0), 1 / 3, atol=0.01)
    # Uniform over a triangle: a part is below 0.5 in three quarters of its area.
    np.testing.assert_allclose((found < 0.5).mean(axis=0), 0.75, atol=0.015)


def test_mnasnets_reward_by_hand() -> None:
    ranked = np.array([[0.2, 0.5], [0.2, 0.5], [0.0, 1.0]])
    violations = np.array([[-0.4], [0.1], [0.0]])
    targets = np.array([[0.6], [0.5], [0.5]])
    expected = [0.8, 0.8 * 1.1**ABOVE_LIMIT, 1.5**ABOVE_TARGET]
    np.testing.assert_allclose(earned(ranked, violations, targets), expected)


def test_reward_of_one_objective_without_limits_is_its_quality() -> None:
    found = earned(np.array([[0.25], [1.0]]), np.empty((2, 0)), np.empty((2, 0)))
    np.testing.assert_allclose(found, [0.75, 0.0])
