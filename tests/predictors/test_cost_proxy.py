"""Costs as proxies: the order of the networks' own sizes."""

from __future__ import annotations

import numpy as np
import pytest

import search_spaces
from predictors import COSTS, CostProxy, PredictorError


@pytest.mark.parametrize("name", COSTS)
def test_the_larger_network_is_predicted_to_err_less(name: str) -> None:
    space = search_spaces.get("small-images")
    X = space.sample(50, np.random.default_rng(0))
    proxy = CostProxy(name, space)
    values, deviations = proxy.predict(X, return_std=True)
    plans = [space.lower(space.decode(row)) for row in X]
    expected = [
        sum(n.spec.macs if name == "macs" else n.spec.params for n in plan.nodes) for plan in plans
    ]
    np.testing.assert_allclose(values, -np.array(expected) / 1e6)
    np.testing.assert_array_equal(proxy.predict(X), values)
    assert not deviations.any()


def test_an_unknown_proxy_is_refused() -> None:
    space = search_spaces.get("small-images")
    with pytest.raises(PredictorError, match=r"no proxy 'flops'; there are macs, parameters$"):
        CostProxy("flops", space)
    with pytest.raises(PredictorError, match="did you mean 'parameters'"):
        CostProxy("paramters", space)
