"""What a predictor's own samples say of it, against splits by hand and against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

import predictors
import search_spaces
from predictors import PredictorError
from predictors.cross_validation import LEAST, PARTS, cross_validated
from predictors.method import folds
from predictors.networks import networks

SPACE = search_spaces.get("nas-bench-macro")


def labels(rows: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Percentages that are half a sum over layers, half luck."""
    rng = np.random.default_rng(seed)
    sums = rows @ np.array([1.0, 0.8, -0.5, 0.7, 0.2, 0.9, -0.3, 0.4])
    return np.asarray(90 + sums + noise * rng.normal(size=len(rows)))


def test_no_sample_is_predicted_by_what_has_seen_it() -> None:
    rng = np.random.default_rng(1)
    # Rows as they come, some of them one network: those are in one part.
    rows = rng.integers(0, 3, (90, 8))
    y = labels(SPACE.canonical(rows), 1)
    network = networks(SPACE, rows)
    assert len(set(network)) < len(rows)
    part = folds(network, np.random.default_rng(3), PARTS)
    mean = np.empty(len(rows))
    for number in range(PARTS):
        left = part == number
        fitted = predictors.get("ridge", SPACE, seed=3).fit(rows[~left], y[~left])
        mean[left] = fitted.predict(rows[left])
    told: list[int] = []
    found = cross_validated("ridge", SPACE, rows, y, seed=3, tell=told.append)
    assert told == [1, 2, 3, 4, 5]
    assert found.kendall.value == pytest.approx(kendalltau(mean, y).statistic)
    assert found.error.value == pytest.approx(np.abs(mean - y).mean())
    seen = predictors.get("ridge", SPACE, seed=3).fit(rows, y).predict(rows)
    assert found.kendall.value < kendalltau(seen, y).statistic - 0.02, "nobody would notice"
    for one in (found.kendall, found.error, found.coverage):
        assert one.low < one.value < one.high


def test_intervals_hold_what_other_networks_say() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for seed in range(10):
        rows = SPACE.sample(900, rng)
        y = labels(rows, 1, seed)
        fitted = predictors.get("ridge", SPACE).fit(rows[:100], y[:100])
        truth = kendalltau(fitted.predict(rows[100:]), y[100:]).statistic
        found = cross_validated("ridge", SPACE, rows[:100], y[:100]).kendall
        inside += found.low <= truth <= found.high
        assert found.high - found.low < 0.25
    assert inside >= 8


def test_what_cannot_be_cross_validated_is_refused() -> None:
    rows = SPACE.sample(LEAST, np.random.default_rng(0))
    y = labels(rows, 1)
    cross_validated("ridge", SPACE, rows, y)
    with pytest.raises(PredictorError, match=f"takes {LEAST} networks; got {LEAST - 1}"):
        cross_validated("ridge", SPACE, rows[1:], y[1:])
    # The only one that differs is in one of the parts.
    odd = np.where(np.arange(LEAST) == 4, 1.0, 0.0)
    with pytest.raises(PredictorError, match="labels of a predictor differ"):
        cross_validated("ridge", SPACE, rows, odd)
