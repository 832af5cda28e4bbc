"""The power transform against SciPy's and scikit-learn's."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from scipy.stats import skew, yeojohnson
from sklearn.preprocessing import PowerTransformer

from predictors.labels import Scale, inverse_yeo_johnson, yeo_johnson

X = np.linspace(-3, 3, 41)


@pytest.mark.parametrize("power", [-3.0, -0.5, 0.0, 0.7, 1.0, 2.0, 5.0])
def test_the_transform_is_scipys_and_has_an_inverse(power: float) -> None:
    there = yeo_johnson(X, power)
    np.testing.assert_allclose(there, yeojohnson(X, power), atol=1e-12)
    np.testing.assert_allclose(inverse_yeo_johnson(there, power), X, atol=1e-9)


def test_a_fit_is_scikit_learns() -> None:
    y = 93 - np.random.default_rng(0).exponential(2, 300)
    expected = PowerTransformer().fit_transform(((y - y.mean()) / y.std())[:, None])[:, 0]
    scale = Scale.fit(y)
    np.testing.assert_allclose(scale.forward(y), expected, atol=1e-3)
    assert abs(skew(scale.forward(y))) < 0.2 < abs(skew(y))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30, unique=True))
@settings(max_examples=100, deadline=None)
def test_there_and_back_increasing_and_bounded(labels: list[float]) -> None:
    y = np.sort(np.array(labels))
    assume(np.diff(y).min() > 1e-6 * np.abs(y).max() + 1e-6)
    scale = Scale.fit(y)
    np.testing.assert_allclose(scale.inverse(scale.forward(y)), y, atol=1e-6 * np.ptp(y))
    anything = np.linspace(-50, 50, 200)
    back = scale.inverse(anything)
    assert (np.diff(back) >= -1e-9 * np.ptp(y)).all()
    assert back.min() >= scale.low - 1e-6 * np.ptp(y)
    assert back.max() <= scale.high + 1e-6 * np.ptp(y)
    assert (scale.spread(anything, np.full(200, 0.5)) > 0).all()


def test_the_spread_of_a_linear_scale_is_linear() -> None:
    scale = Scale(90.0, 2.0, 1.0, 0.0, 1.0, 0.0, 180.0)
    std = np.array([0.1, 1.0, 2.0])
    np.testing.assert_allclose(scale.spread(np.zeros(3), std), 2 * std)
