"""What a ridge regression has learnt, as sums, against what it predicts."""

from __future__ import annotations

import numpy as np
import pytest

import predictors
import search_spaces
from predictors.errors import PredictorError
from search_spaces import Space


@pytest.fixture(scope="module", params=["small-images", "nas-bench-macro", "ofa-resnet50"])
def space(request: pytest.FixtureRequest) -> Space:
    return search_spaces.get(request.param)


def test_sums_are_what_a_ridge_predicts(space: Space) -> None:
    rng = np.random.default_rng(0)
    X, many = space.sample(150, rng), space.sample(2_000, rng)
    y = 30 - np.log(space.macs(X)) + X @ rng.normal(size=X.shape[1])
    fitted = predictors.get("ridge", space).fit(X, y)
    learnt = fitted.linear()
    np.testing.assert_allclose(
        learnt.scale.inverse(learnt.latent(space, many)), fitted.predict(many), atol=1e-4
    )


def test_other_predictors_are_no_sums() -> None:
    space = search_spaces.get("nas-bench-macro")
    X = space.sample(40, np.random.default_rng(0))
    y = space.macs(X) / 1e6 + X[:, 0]
    with pytest.raises(PredictorError, match="not fitted"):
        predictors.get("ridge", space).linear()
    with pytest.raises(PredictorError, match="'gp' is no sum"):
        predictors.get("gp", space).fit(X, y).linear()
    with pytest.raises(PredictorError, match="'ridge' with proxies is no sum"):
        predictors.get("ridge", space).fit(X, y, proxies={"size": y}).linear()
