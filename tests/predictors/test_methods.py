"""The regressions against scikit-learn's own predictions, and held-out ones against refits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.neural_network import MLPRegressor

from predictors import auto, boosting, gp, mlp, ridge
from predictors.likelihood import BOUNDS, JITTER, Gram, Hyperparameters, _loss, likeliest
from predictors.method import folds
from predictors.threads import one_thread

Floats = npt.NDArray[np.float64]
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(80, 6))
Y = Z @ RNG.normal(size=6) + np.sin(2 * Z[:, 0]) + 0.2 * RNG.normal(size=80)
Y = (Y - Y.mean()) / Y.std()
NEW = RNG.normal(size=(40, 6))
FOLDS = folds(np.arange(80), np.random.default_rng(1))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with one_thread():
        yield


def test_folds_are_of_equal_size_and_never_more_than_samples() -> None:
    assert np.bincount(FOLDS).tolist() == [16] * 5
    assert sorted(folds(np.arange(3), np.random.default_rng(0))) == [0, 1, 2]


def test_samples_of_one_network_are_in_one_fold() -> None:
    networks = np.repeat([31, 13, 22, 0, 55, 61, 62], 4)
    networks = RNG.permutation(np.concatenate([networks, networks[:4], networks[:4]]))
    found = folds(networks, np.random.default_rng(0))
    assert sorted(np.bincount(found)) == [4, 4, 8, 8, 12]
    for network in np.unique(networks):
        assert len(set(found[networks == network])) == 1
    assert sorted(folds(np.zeros(4, np.int64), np.random.default_rng(0))) == [0, 1, 2, 3]


def test_ridge_is_scikit_learns() -> None:
    state, _ = ridge.fit(Z, Y, FOLDS, RNG)
    mean, std = BayesianRidge().fit(Z, Y).predict(NEW, return_std=True)
    found = ridge.predict(state, NEW, True)
    np.testing.assert_allclose(found[0], mean, rtol=1e-9)
    np.testing.assert_allclose(found[1], std, rtol=1e-6)
    np.testing.assert_array_equal(ridge.predict(state, NEW, False)[0], found[0])


@pytest.mark.parametrize("n", [2, 10, 80])
def test_hyperparameters_are_scikit_learns(n: int) -> None:
    trend = ConstantKernel(0.1, (1e-6, 1e3)) * DotProduct(1.0, sigma_0_bounds="fixed")
    smooth = ConstantKernel(1.0, (1e-4, 1e3)) * RBF(6**0.5, (0.1, 1e3))
    kernel = trend + smooth + WhiteKernel(0.1, (1e-4, 1e1))
    with warnings.catch_warnings():
        # Of an end of a range, which is where some are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianProcessRegressor(kernel, alpha=JITTER).fit(Z[:n], Y[:n])
    found = likeliest(Gram.of(Z[:n]), Y[:n], Hyperparameters(0.1, 1.0, 6**0.5, 0.1))
    np.testing.assert_allclose(astuple(found), np.exp(model.kernel_.theta), rtol=1e-4)


def test_the_likelihood_and_its_slopes_are_scikit_learns() -> None:
    state = dict(zip(BOUNDS, np.array([0.3, 0.7, 1.9, 0.05]), strict=True))
    kernel = kernel_of(state, sigma_0_bounds="fixed")
    model = GaussianProcessRegressor(kernel, alpha=JITTER, optimizer=None).fit(Z, Y)
    value, slopes = model.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    loss, ours = _loss(np.log([*state.values()]), Gram.of(Z), Y)
    assert loss == pytest.approx(-value, rel=1e-9)
    np.testing.assert_allclose(ours, -slopes, rtol=1e-7)


def kernel_of(state: dict[str, Floats], **options: Any) -> Any:
    trend = ConstantKernel(state["trend"]) * DotProduct(1.0, **options)
    smooth = ConstantKernel(state["deviation"]) * RBF(state["length"])
    return trend + smooth + WhiteKernel(state["noise"])


def test_gaussian_process_is_scikit_learns() -> None:
    state, _ = gp.fit(Z, Y, FOLDS, RNG)
    model = GaussianProcessRegressor(kernel_of(state), optimizer=None).fit(Z, Y)
    mean, std = model.predict(NEW, return_std=True)
    # Scikit-learn leaves the noise of a new label out of WhiteKernel only off the diagonal.
    np.testing.assert_allclose(gp.predict(state, NEW, True), (mean, std), rtol=1e-3, atol=1e-4)


def test_what_a_gaussian_process_holds_out_is_what_a_refit_predicts() -> None:
    state, held = gp.fit(Z, Y, FOLDS, RNG)
    for fold in range(5):
        at = fold == FOLDS
        model = GaussianProcessRegressor(kernel_of(state), optimizer=None).fit(Z[~at], Y[~at])
        mean, std = model.predict(Z[at], return_std=True)
        np.testing.assert_allclose(held.mean[at], mean, atol=1e-6)
        np.testing.assert_allclose(held.std[at], std, atol=1e-6)


def test_what_ridge_holds_out_is_what_a_refit_predicts() -> None:
    state, held = ridge.fit(Z, Y, FOLDS, RNG)
    model = BayesianRidge().fit(Z, Y)
    for fold in range(5):
        at = fold == FOLDS
        # The same two precisions, with the intercept as one more column that is not penalised.
        A = np.column_stack([Z[~at], np.ones((~at).sum())])
        penalty = np.diag([*[model.lambda_ / model.alpha_] * 6, 0])
        weights = np.linalg.solve(A.T @ A + penalty, A.T @ Y[~at])
        mean = np.column_stack([Z[at], np.ones(at.sum())]) @ weights
        np.testing.assert_allclose(held.mean[at], mean, atol=1e-6)
        assert (held.std[at] >= np.sqrt(state["noise"])).all()


@pytest.mark.parametrize("start", [BayesianRidge(), Ridge()])
def test_boosting_is_scikit_learns(start: object) -> None:
    # Few samples, so that trees have leaves at every depth; values that lie on the thresholds.
    inputs, rows = np.round(Z[:30], 1), np.round(NEW, 2)
    models = [
        GradientBoostingRegressor(init=start, max_depth=3, n_estimators=20, random_state=seed)
        for seed in range(3)
    ]
    for model in models:
        model.fit(inputs, Y[:30])
    tree = models[0].estimators_[-1, 0].tree_
    assert tree.n_leaves < 8
    thresholds = np.unique(tree.threshold[tree.feature >= 0])
    rows[: len(thresholds), tree.feature[0]] = thresholds
    state = {**boosting.flattened(models), "noise": np.array(0.01)}
    expected = np.array([model.predict(rows) for model in models])
    mean, std = boosting.predict(state, rows, True)
    np.testing.assert_allclose(mean, expected.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(std**2, expected.var(0) + 0.01, rtol=1e-6)


def test_boosting_holds_out_by_those_that_have_not_seen() -> None:
    state, held = boosting.fit(Z, Y, FOLDS, np.random.default_rng(2))
    assert state["feature"].shape == (5, boosting.TREES, 7)
    each = boosting._each(state, Z)
    np.testing.assert_array_equal(held.mean, each[FOLDS, np.arange(80)])
    assert np.mean((held.mean - Y) ** 2) > 2 * np.mean((each.mean(0) - Y) ** 2)


def test_networks_are_scikit_learns() -> None:
    made: list[MLPRegressor] = []

    def kept(**options: object) -> MLPRegressor:
        made.append(MLPRegressor(**options))
        return made[-1]

    with mock.patch("sklearn.neural_network.MLPRegressor", kept):
        state, _ = mlp.fit(Z, Y, FOLDS, np.random.default_rng(2))
    expected = np.array([network.predict(NEW) for network in made])
    mean, std = mlp.predict(state, NEW, True)
    np.testing.assert_allclose(mean, expected.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(std**2, expected.var(0) + state["noise"], rtol=1e-3)


def test_networks_hold_out_by_those_that_have_not_seen() -> None:
    state, held = mlp.fit(Z, Y, FOLDS, np.random.default_rng(2))
    assert state["weights0"].shape == (10, 6, 32)
    seen = mlp.predict(state, Z, False)[0]
    assert np.mean((seen - Y) ** 2) < np.mean((held.mean - Y) ** 2)
    assert np.corrcoef(held.mean, Y)[0, 1] > 0.8


def test_the_stack_is_the_mixture_of_its_members() -> None:
    state, held = auto.AUTO.fit(Z, Y, FOLDS, np.random.default_rng(2))
    weights = state["weights"]
    assert weights.sum() == pytest.approx(1)
    assert ((weights == 0) | (weights >= auto.LEAST_WEIGHT / 2)).all()
    parts = []
    for name, member in auto.MEMBERS.items():
        own = {k.split(".")[1]: v for k, v in state.items() if k.startswith(f"{name}.")}
        parts.append(member.predict(own, NEW, True))
    mean, std = auto.AUTO.predict(state, NEW, True)
    np.testing.assert_allclose(mean, sum(w * m for w, (m, _) in zip(weights, parts, strict=True)))
    second = sum(w * (m**2 + s**2) for w, (m, s) in zip(weights, parts, strict=True))
    np.testing.assert_allclose(std**2 + mean**2, second, rtol=1e-6)
    error = np.mean((held.mean - Y) ** 2)
    for member in auto.MEMBERS.values():
        assert error < 1.1 * np.mean((member.fit(Z, Y, FOLDS, RNG)[1].mean - Y) ** 2)


def test_weights_go_to_who_predicts_well() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=200)
    good, bad = y + 0.1 * rng.normal(size=200), rng.normal(size=200)
    assert auto._weights(np.column_stack([good, bad, bad]), y).tolist() == [1, 0, 0]
    alike = np.column_stack([y + 0.5 * rng.normal(size=200) for _ in range(3)])
    np.testing.assert_allclose(auto._weights(alike, y), 1 / 3, atol=0.08)
    # No weight that is not negative helps: sums of none would be NaN.
    np.testing.assert_allclose(auto._weights(np.column_stack([-y, -2 * y]), y), 1 / 2)
