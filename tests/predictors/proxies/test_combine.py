"""Combinations by hand, and weights learned from few labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from predictors import PredictorError, proxies, ranks
from predictors.proxies import combine

# Four networks, three proxies on scales of their own; the third has a tie.
VALUES = np.array([[1.0, 90, 0.1], [2, 70, 0.2], [3, 80, 0.2], [4, 60, 0.4]])


def test_ranks_by_hand() -> None:
    expected = np.array([[1, 4, 1], [2, 2, 2.5], [3, 3, 2.5], [4, 1, 4]]) / 4
    np.testing.assert_allclose(combine.ranks(VALUES), expected)
    np.testing.assert_allclose(combine.rank_average(VALUES), expected.mean(1))
    products = [math.log(np.prod(row)) / 3 for row in expected]
    np.testing.assert_allclose(combine.rank_product(VALUES), products)


def test_votes_by_hand() -> None:
    # The last beats the second and third by two of three, the first by two; and so on down.
    np.testing.assert_allclose(combine.vote(VALUES), [0, 1 / 3, 2 / 3, 1])
    # One for, one against: half a win each.
    np.testing.assert_allclose(combine.vote([[1, 2], [2, 1]]), [0.5, 0.5])
    np.testing.assert_allclose(combine.vote([[1, 2]]), [0.5])


@pytest.mark.parametrize("way", [combine.rank_average, combine.rank_product, combine.vote])
def test_only_the_order_of_scores_counts(way: object) -> None:
    assert callable(way)
    np.testing.assert_allclose(way(VALUES), way(np.exp(VALUES / 10)))
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(way(VALUES[order]), way(VALUES)[order])


def test_the_default_takes_what_score_returns() -> None:
    rng = np.random.default_rng(0)
    scores = [dict(zip(proxies.names(), rng.normal(size=30), strict=False)) for _ in range(5)]
    table = [[one[name] for name in combine.DEFAULT] for one in scores]
    found = proxies.combined(scores)
    np.testing.assert_allclose(found, combine.ranks(table).prod(1) ** (1 / len(combine.DEFAULT)))
    assert (found.argsort() == combine.rank_product(table).argsort()).all()
    assert (found > 0).all() and (found <= 1).all()
    del scores[2][combine.DEFAULT[0]]
    with pytest.raises(PredictorError, match=f"network 2 has no score by {combine.DEFAULT[0]!r}"):
        proxies.combined(scores)


def test_weights_are_learned_from_few_labels() -> None:
    rng = np.random.default_rng(1)
    quality = rng.normal(size=400)
    # A good proxy, a fair one, one that is wrong way round, and three that say nothing.
    noise = rng.normal(size=(400, 6))
    table = noise * [0.3, 1, 0.5, 1, 1, 1] + np.outer(quality, [1, 1, -1, 0, 0, 0])
    labels = 90 + quality
    model = combine.learn(table[:30], labels[:30], pool=table)
    found = ranks.spearman(model.predict(table[30:]), labels[30:])
    assert found > 0.93
    assert found > ranks.spearman(combine.rank_average(table[30:]), labels[30:]) + 0.1
    assert abs(np.mean(model.predict(table)) - 90) < 0.3
    assert model.weights[0] > 0 > model.weights[2]


def test_equal_labels_are_learned_as_a_constant() -> None:
    model = combine.learn(VALUES, [7.0] * 4)
    np.testing.assert_array_equal(model.predict(VALUES[:2]), [7, 7])


def test_what_cannot_be_combined_is_refused() -> None:
    with pytest.raises(PredictorError, match=r"a table \[networks, proxies\]"):
        combine.vote([1, 2, 3])
    with pytest.raises(PredictorError, match="network 1 has nan by proxy 0"):
        combine.rank_average([[1, 2], [np.nan, 3]])
    with pytest.raises(PredictorError, match="at least two networks"):
        combine.learn([[1, 2]], [1])
    with pytest.raises(PredictorError, match="one finite label"):
        combine.learn(VALUES, [1, 2, 3, np.inf])
    with pytest.raises(PredictorError, match="same 3 proxies; got 2"):
        combine.learn(VALUES, [1, 2, 3, 4], pool=VALUES[:, :2])
    with pytest.raises(PredictorError, match="fitted on 3 proxies; got 1"):
        combine.learn(VALUES, [1, 2, 3, 4]).predict([[1]])
