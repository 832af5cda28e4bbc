"""The agents of MANAS: chances and credit by hand, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import search_spaces
from nas.search import Population, Problem, Task
from nas.search.searchers.manas import (
    RIDGE,
    WANDER,
    Credit,
    Manas,
    fitted,
    gibbs,
    indicators,
    weighted_by_importance,
)

OPEN = np.array([[True, True, False], [True, True, True]])


def test_chances_by_hand() -> None:
    credit = np.array([[[math.log(3), 0.0, 99.0], [0.0, 0.0, math.log(2)]]])
    found = gibbs(credit, OPEN)[0]
    kept = 1 - WANDER
    first = [kept * 3 / 4 + WANDER / 2, kept / 4 + WANDER / 2, 0]
    second = [kept / 4 + WANDER / 3, kept / 4 + WANDER / 3, kept / 2 + WANDER / 3]
    np.testing.assert_allclose(found, [first, second])


def test_huge_credit_does_not_overflow() -> None:
    found = gibbs(np.array([[[1e6, 0.0, 0.0], [-1e6, 0.0, 0.0]]]), OPEN)
    np.testing.assert_allclose(found.sum(axis=2), 1)
    np.testing.assert_allclose(found[0, 0, 0], 1 - WANDER / 2)


def test_unread_choices_were_not_played() -> None:
    played = indicators(np.array([[1, 0], [0, 2]]), np.array([[True, False], [True, True]]), OPEN)
    np.testing.assert_array_equal(played[0], [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(played[1], [[1, 0, 0], [0, 0, 1]])


def test_importance_weights_by_hand() -> None:
    """The estimate of EXP3: what an option earned over the chance that it had."""
    rows, used = np.array([[1, 0], [0, 2], [1, 2]]), np.array([[1, 0], [1, 1], [1, 1]], dtype=bool)
    worth = np.array([[1.0], [0.0], [0.75]])
    chances = np.array([[0.8, 0.2, 0.0], [0.5, 0.25, 0.25]])
    found = weighted_by_importance(indicators(rows, used, OPEN), worth, chances)[0]
    # Rewards from their middle: 0.5, -0.5, 0.25.
    np.testing.assert_allclose(found[0], [-0.5 / 0.8, (0.5 + 0.25) / 0.2, 0])
    np.testing.assert_allclose(found[1], [0, 0, (-0.5 + 0.25) / 0.25])


def test_importance_weighted_sums_are_unbiased() -> None:
    """Their mean over plays is the option's own reward from the middle, however seldom it is."""
    rng = np.random.default_rng(0)
    options, chances = np.array([[True, True, True]]), np.array([[0.7, 0.25, 0.05]])
    rows = rng.choice(3, (60_000, 1), p=chances[0])
    worth = np.array([0.9, 0.1, 0.6])[rows]
    played = indicators(rows, np.ones_like(rows, dtype=bool), options)
    found = weighted_by_importance(played, worth, chances)[0, 0] / len(rows)
    np.testing.assert_allclose(found, [0.4, -0.4, 0.1], atol=0.01)


def test_credit_by_least_squares_is_ridge_regression() -> None:
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.integers(0, 2, 30), rng.integers(0, 3, 30)])
    played = indicators(rows, rng.random(rows.shape) < 0.8, OPEN)
    worth = rng.random((30, 4))
    model = Ridge(alpha=RIDGE, fit_intercept=False).fit(
        played.reshape(30, -1), worth - worth.mean(axis=0)
    )
    np.testing.assert_allclose(fitted(played, worth).reshape(4, -1), model.coef_, atol=1e-10)


@pytest.mark.parametrize("credit", ["least-squares", "importance"])
def test_agents_find_their_own_options(credit: Credit) -> None:
    space = search_spaces.get("nas-bench-macro")
    best = np.array([2, 0, 1, 2, 1, 0, 2, 1])
    searcher = Manas(Task(Problem(space, ("bad",), {})), np.random.default_rng(0), credit)
    means = []
    for _ in range(12):
        rows = searcher.ask(20).rows
        bad = (rows != best).sum(axis=1).astype(float)
        means.append(bad.mean())
        searcher.tell(Population(rows), bad[:, None], np.empty((20, 0)))
    # By chance two of three options are wrong, of eight choices.
    assert means[0] == pytest.approx(16 / 3, abs=0.7)
    assert min(means) < 3.3
