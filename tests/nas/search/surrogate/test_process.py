"""The Gaussian process against scikit-learn's, and beliefs against fits that know more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

import search_spaces
from nas.search.surrogate.process import Process
from predictors.features import Encoder, Standard

Floats = npt.NDArray[np.float64]

SPACE = search_spaces.get("small-images")
ENCODER = Encoder(SPACE)


def samples(n: int) -> tuple[npt.NDArray[np.int64], Floats]:
    rng = np.random.default_rng(0)
    rows = SPACE.sample(n, rng)
    labels = rows @ rng.normal(size=rows.shape[1]) + rng.normal(0, 0.3, n)
    return rows, (labels - labels.mean()) / labels.std()


def reference(process: Process) -> GaussianProcessRegressor:
    """scikit-learn's with the same hyperparameters, fitted to nothing yet."""
    h = process.kernel
    kernel = (
        ConstantKernel(h.trend) * DotProduct(1.0)
        + ConstantKernel(h.deviation) * RBF(h.length)
        + WhiteKernel(h.noise)
    )
    return GaussianProcessRegressor(kernel, optimizer=None)


def features(standard: Standard, rows: npt.NDArray[np.int64]) -> Floats:
    decisions, costs, _ = ENCODER(rows)
    return standard.features(decisions, costs, np.empty((len(rows), 0))).astype(np.float64)


def test_says_what_scikit_learn_says_with_the_same_kernel() -> None:
    rows, labels = samples(60)
    process = Process.fit(ENCODER, rows[:40], labels[:40])
    found = process.posterior(rows[40:])
    theirs = reference(process).fit(features(process.standard, rows[:40]), labels[:40])
    mean, std = theirs.predict(features(process.standard, rows[40:]), return_std=True)
    np.testing.assert_allclose(found.mean, mean, atol=1e-6)
    np.testing.assert_allclose(found.std, std, rtol=1e-4)


def test_believing_is_to_know_what_was_predicted() -> None:
    rows, labels = samples(60)
    process = Process.fit(ENCODER, rows[:40], labels[:40])
    found = process.posterior(rows[40:])
    before = found.std
    for at in (3, 11):
        found.believe(at)
    believed = rows[[43, 51]]
    theirs = reference(process).fit(
        features(process.standard, np.concatenate([rows[:40], believed])),
        np.concatenate([labels[:40], found.mean[[3, 11]]]),
    )
    mean, std = theirs.predict(features(process.standard, rows[40:]), return_std=True)
    np.testing.assert_allclose(found.mean, mean, atol=1e-5)
    np.testing.assert_allclose(found.std, std, rtol=1e-4)
    assert (found.std <= before + 1e-9).all()


def test_a_part_believes_as_the_whole_does() -> None:
    rows, labels = samples(50)
    process = Process.fit(ENCODER, rows[:30], labels[:30])
    whole = process.posterior(rows[30:])
    whole.believe(2)
    part = whole.at(np.array([1, 5, 7]))
    whole.believe(5)
    part.believe(1)
    np.testing.assert_allclose(part.std, whole.std[[1, 5, 7]])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_labels_and_few_of_them_are_no_error(n: int) -> None:
    rows, _ = samples(20)
    found = Process.fit(ENCODER, rows[:n], np.zeros(n)).posterior(rows)
    np.testing.assert_allclose(found.mean, 0, atol=1e-9)
    assert np.isfinite(found.std).all()
