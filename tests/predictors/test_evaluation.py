"""Splits by network, and what is said of predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest

import search_spaces
from predictors import PredictorError, ranks
from predictors.evaluation import NOTHING, Measures, evaluate, judge, split, summary
from predictors.networks import networks
from search_spaces import Net, Space, choice, one_of
from search_spaces.specs import Classifier, Conv

SPACE = search_spaces.get("nas-bench-macro")


def test_no_network_is_on_both_sides() -> None:
    # Identities commute: most of these rows are networks that other rows are as well.
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (3000, 8))
    fitted, others = split(SPACE, X, 200, rng)
    digests = [SPACE.digest(SPACE.decode(row)) for row in X]
    seen = {digests[i] for i in fitted}
    assert len(seen) == len(fitted) == 200
    assert {i for i, digest in enumerate(digests) if digest not in seen} == set(others.tolist())
    assert len(others) < 2800


def inexact() -> Space:
    """A layer of one shape in either of two slots: equal networks, unequal rows."""
    net = Net(image=(3, 8))
    net("stem", Conv, out=8)
    for name in ("first", "second"):
        there = choice(f"{name} is there", 0, 1)
        net(name, Conv, out=8, kernel=3, when=there > 0)
    net("third", Conv, out=8, kernel=one_of(1, 3, 5, 7))
    for k in range(4):
        net(f"last.{k}", Conv, out=8, kernel=one_of(1, 3, 5))
    net("classifier", Classifier, classes=2)
    return Space(net, "inexact")


def test_equal_networks_of_unequal_rows_are_on_one_side() -> None:
    space = inexact()
    assert not space.rows_are_exact
    rng = np.random.default_rng(0)
    X = np.unique(space.sample(200, rng), axis=0)
    digests = np.array([space.digest(space.decode(row)) for row in X])
    assert len(set(digests)) < len(X)
    fitted, others = split(space, X, 30, rng)
    assert len(set(digests[fitted])) == 30
    assert set(digests[others]) == set(digests) - set(digests[fitted])
    found = networks(space, X)
    assert len(set(zip(found, digests, strict=True))) == len(set(found)) == len(set(digests))


def test_draws_whose_labels_are_equal_do_not_count() -> None:
    X = np.unique(SPACE.sample(80, np.random.default_rng(0)), axis=0)
    y = np.zeros(len(X))
    y[:3] = 1.0
    found = [evaluate("ridge", SPACE, X, y, 5, seed) for seed in range(12)]
    drawn = [y[split(SPACE, X, 5, np.random.default_rng(seed))[0]].any() for seed in range(12)]
    assert 0 < sum(drawn) < 12
    assert [one is not NOTHING for one in found] == drawn
    whole = summary(found)
    counting = [one.kendall for one in found if math.isfinite(one.kendall)]
    assert 0 < whole.counted == len(counting) <= sum(drawn)
    assert whole.mean.kendall == pytest.approx(np.mean(counting))
    assert math.isnan(summary([NOTHING]).mean.regret) and summary([NOTHING]).counted == 0


def test_scores_are_judged_on_what_predictors_are_judged_on() -> None:
    X = np.unique(SPACE.sample(80, np.random.default_rng(0)), axis=0)
    y = np.log(SPACE.macs(X))
    fitted, others = split(SPACE, X, 20, np.random.default_rng(4))
    # Right about what is left, wrong about what a predictor would be fitted on.
    scores = y.copy()
    scores[fitted] *= -1
    assert judge(scores, SPACE, X, y, 20, 4).kendall == pytest.approx(1)
    ranked = np.sort(y[others])
    lost = judge(-scores, SPACE, X, y, 20, 4, larger_is_better=False).regret
    assert lost == pytest.approx(ranked[-10] - ranked[0])


def test_too_few_networks() -> None:
    X = np.repeat(SPACE.sample(30, np.random.default_rng(0)), 3, axis=0)
    distinct = len(np.unique(X, axis=0))
    with pytest.raises(PredictorError, match=f"at least 20 others takes 45; got {distinct}"):
        split(SPACE, X, 25, np.random.default_rng(0))


def test_measures_are_those_of_what_was_not_fitted_on() -> None:
    rng = np.random.default_rng(1)
    X = np.unique(SPACE.sample(150, rng), axis=0)
    y = np.log(SPACE.macs(X)) + 0.01 * rng.normal(size=len(X))
    plain = evaluate("ridge", SPACE, X, y, 60, 0)
    assert plain.kendall > 0.9 and plain.spearman > plain.kendall
    assert plain.regret == pytest.approx(0, abs=0.05) and 0.7 < plain.coverage <= 1
    assert evaluate("ridge", SPACE, X, y, 60, 0) == plain
    # Smaller is better: the same predictions, other networks are the best.
    assert evaluate("ridge", SPACE, X, y, 60, 0, larger_is_better=False).kendall == plain.kendall
    # What only the proxy tells is found by it.
    told = rng.normal(size=len(X))
    blind = evaluate("ridge", SPACE, X, told, 60, 0)
    seeing = evaluate("ridge", SPACE, X, told, 60, 0, proxies={"told": told})
    assert seeing.kendall > 0.9 > 0.3 > blind.kendall


def test_scores_without_deviations_have_no_intervals() -> None:
    scores, actual = np.arange(20.0), np.arange(20.0) ** 2
    found = Measures.of(scores, None, actual, larger_is_better=True)
    assert (found.kendall, found.spearman, found.regret) == (1, 1, 0)
    assert math.isnan(found.coverage)
    assert Measures.of(-scores, None, actual, larger_is_better=True).regret == 19**2 - 9**2
    assert ranks.regret(-scores, actual, 10) == 19**2 - 9**2


def test_intervals_over_repetitions_by_hand() -> None:
    values = [0.5, 0.7, 0.9]
    whole = summary([Measures(value, 0, 0, math.nan) for value in values])
    # Student's t for two degrees of freedom: 4.303; the deviation is 0.2.
    assert whole.mean.kendall == pytest.approx(0.7)
    assert whole.half.kendall == pytest.approx(4.3027 * 0.2 / math.sqrt(3), rel=1e-4)
    assert whole.counted == 3
    assert whole.half.spearman == 0 and math.isnan(whole.mean.coverage)
    assert math.isnan(summary([Measures(1, 1, 0, 1)]).half.kendall)
