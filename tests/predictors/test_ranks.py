"""Statistics against their definitions, written out."""

from __future__ import annotations

import itertools
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from predictors import PredictorError, ranks

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12).filter(
    lambda pairs: all(len(set(side)) > 1 for side in zip(*pairs, strict=True))
)


@given(PAIRS)
@settings(max_examples=60, deadline=None)
def test_kendall_counts_pairs(pairs: list[tuple[int, int]]) -> None:
    signs = [
        (np.sign(a[0] - b[0]), np.sign(a[1] - b[1])) for a, b in itertools.combinations(pairs, 2)
    ]
    score = sum(int(x * y) for x, y in signs)
    untied = [sum(1 for pair in signs if pair[side]) for side in (0, 1)]
    expected = score / math.sqrt(untied[0] * untied[1])
    assert ranks.kendall(*zip(*pairs, strict=True)) == pytest.approx(expected, abs=1e-12)


@given(PAIRS)
@settings(max_examples=60, deadline=None)
def test_spearman_correlates_ranks(pairs: list[tuple[int, int]]) -> None:
    ranked = []
    for side in zip(*pairs, strict=True):
        mean_rank = {v: np.mean([i for i, w in enumerate(sorted(side)) if w == v]) for v in side}
        ranked.append([mean_rank[v] for v in side])
    expected = np.corrcoef(*ranked)[0, 1]
    assert ranks.spearman(*zip(*pairs, strict=True)) == pytest.approx(expected, abs=1e-12)


def test_a_constant_ranks_nothing() -> None:
    assert math.isnan(ranks.kendall([1, 1, 1], [1, 2, 3]))
    assert math.isnan(ranks.spearman([1, 2, 3], [5, 5, 5]))


def test_coverage_and_regret_by_hand() -> None:
    # 1.645 standard deviations hold 90%, 0.674 hold half.
    assert ranks.coverage([0, 0, 0, 0], [1, 1, 1, 1], [0, 1.64, -1.64, 1.65], 0.9) == 0.75
    assert ranks.coverage([0, 0, 0, 0], [1, 1, 1, 1], [0, 0.67, -0.68, 5], 0.5) == 0.5
    predicted, actual = [1, 2, 3, 4], [9, 7, 8, 5]
    assert ranks.regret(predicted, actual, 1) == 4
    assert ranks.regret(predicted, actual, 2) == 1
    assert ranks.regret(predicted, actual, 4) == 0
    assert ranks.regret(predicted, actual, 1, larger_is_better=False) == 4


@given(PAIRS, st.data())
@settings(max_examples=40, deadline=None)
def test_ties_are_broken_by_chance(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    predicted, actual = (np.array(side[:7]) for side in zip(*pairs, strict=True))
    k = data.draw(st.integers(1, len(actual)))
    lost = []
    for order in itertools.permutations(range(len(actual))):
        top = sorted(order, key=lambda i: -predicted[i])[:k]
        lost.append(actual.max() - actual[top].max())
    assert ranks.regret(predicted, actual, k) == pytest.approx(np.mean(lost), abs=1e-9)
    assert ranks.regret(-predicted, -actual, k, larger_is_better=False) == pytest.approx(
        np.mean(lost), abs=1e-9
    )


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(PredictorError, match="of one length"):
        ranks.kendall([1, 2], [1, 2, 3])
    with pytest.raises(PredictorError, match="at least two finite"):
        ranks.spearman([1, np.nan], [1, 2])
    with pytest.raises(PredictorError, match="between 0 and 1"):
        ranks.coverage([1, 2], [1, 1], [1, 2], 90)
    with pytest.raises(PredictorError, match="k is between 1"):
        ranks.regret([1, 2], [1, 2], 3)
