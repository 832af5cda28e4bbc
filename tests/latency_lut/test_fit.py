from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.linear_model import Ridge

from latency_lut.design import d_optimal, strata
from latency_lut.fit import (
    GRID,
    Observations,
    Prior,
    Scales,
    conditioned,
    fit,
    posterior,
    predict,
)


def problem(rng: np.random.Generator, networks: int = 12, entries: int = 8) -> tuple:
    mean = np.concatenate([[0.0, 0.0], rng.uniform(0.01, 0.1, entries)])
    error = np.concatenate([[0.05, 0.02], np.full(entries, 0.001)])
    group = np.concatenate([[-1, -1], np.arange(entries) % 3])
    prior = Prior(mean, error, group)
    counts = rng.integers(0, 3, (networks, entries + 2)).astype(float)
    counts[:, 0] = 1
    counts[:, 1] = rng.uniform(0, 1, networks)
    return prior, counts


def observations(counts: np.ndarray, ms: np.ndarray, error_ms: np.ndarray) -> Observations:
    return Observations(counts, ms, error_ms, np.ones(len(ms), dtype=np.bool_))


def covariance(prior: Prior, scales: Scales) -> np.ndarray:
    """Written out from the description, entry by entry."""
    n = len(prior.mean_ms)
    cov = np.diag(prior.error_ms**2)
    for i, j in itertools.product(range(n), range(n)):
        product = prior.mean_ms[i] * prior.mean_ms[j]
        cov[i, j] += scales.together**2 * product
        if prior.group[i] == prior.group[j] and prior.group[i] >= 0:
            cov[i, j] += scales.kind**2 * product
        if i == j:
            cov[i, j] += scales.own**2 * product
    return cov


def test_the_posterior_is_the_closed_form_of_bayesian_linear_regression() -> None:
    rng = np.random.default_rng(0)
    prior, counts = problem(rng)
    scales = Scales(0.1, 0.05, 0.1, 0.02)
    ms = counts @ prior.mean_ms * rng.normal(1, 0.05, len(counts))
    observed = observations(counts, ms, 0.004 * ms)
    fitted = posterior(prior, observed, scales)
    # Information form, Bishop 2006, equations 3.50 and 3.51 with a general noise covariance.
    precision = np.diag(1 / ((0.02 * ms) ** 2 + (0.004 * ms) ** 2))
    inverse = np.linalg.inv(covariance(prior, scales))
    cov = np.linalg.inv(inverse + counts.T @ precision @ counts)
    mean = cov @ (inverse @ prior.mean_ms + counts.T @ precision @ ms)
    np.testing.assert_allclose(fitted.mean_ms, mean, rtol=1e-8)
    new = rng.integers(0, 3, (5, len(mean))).astype(float)
    predicted, std = predict(fitted, new)
    np.testing.assert_allclose(predicted, new @ mean)
    noise = (0.02**2 + 0.004**2) * predicted**2
    np.testing.assert_allclose(std**2, np.diag(new @ cov @ new.T) + noise, rtol=1e-6)
    assert fitted.repeat == pytest.approx(0.004)


def test_the_posterior_mean_is_ridge_regression_on_whitened_data() -> None:
    rng = np.random.default_rng(1)
    prior, counts = problem(rng)
    scales = Scales(0.03, 0.03, 0.05, 0.01)
    ms = counts @ prior.mean_ms * rng.normal(1, 0.05, len(counts))
    fitted = posterior(prior, observations(counts, ms, 0 * ms), scales)
    root = np.linalg.cholesky(covariance(prior, scales))
    weight = 1 / (0.01 * ms)
    ridge = Ridge(alpha=1.0, fit_intercept=False, solver="cholesky")
    ridge.fit(weight[:, None] * counts @ root, weight * (ms - counts @ prior.mean_ms))
    np.testing.assert_allclose(fitted.mean_ms, prior.mean_ms + root @ ridge.coef_, rtol=1e-6)


def test_a_later_campaign_differs_by_a_factor_that_the_earlier_one_does_not_see() -> None:
    rng = np.random.default_rng(5)
    prior, counts = problem(rng, networks=20)
    scales = Scales(0.1, 0.05, 0.1, 0.02, 0.3)
    later = np.arange(20) >= 12
    ms = counts @ prior.mean_ms * np.where(later, 1.2, 1.0)
    fitted = posterior(prior, Observations(counts, ms, 0 * ms, later), scales)
    # The same with the factor as a parameter of its own beside the entries.
    design = np.hstack([counts, (counts @ prior.mean_ms * later)[:, None]])
    cov = np.zeros((len(prior.mean_ms) + 1,) * 2)
    cov[:-1, :-1], cov[-1, -1] = covariance(prior, scales), 0.3**2
    noise = np.diag((0.02 * ms) ** 2)
    gain = cov @ design.T @ np.linalg.inv(design @ cov @ design.T + noise)
    mean = gain @ (ms - counts @ prior.mean_ms) + np.append(prior.mean_ms, 0)
    left = cov - gain @ design @ cov
    new = rng.integers(0, 3, (5, len(prior.mean_ms))).astype(float)
    full = np.hstack([new, (new @ prior.mean_ms)[:, None]])
    predicted, std = predict(fitted, new)
    np.testing.assert_allclose(predicted, full @ mean, rtol=1e-8)
    noise_of = (0.02 * predicted) ** 2
    np.testing.assert_allclose(std**2, np.diag(full @ left @ full.T) + noise_of, rtol=1e-6)
    _, chosen = fit(prior, {1.0: Observations(counts, ms, 1e-3 * ms, later)}, {1.0: new})
    assert chosen.scales.campaign > 0
    level = Observations(counts, ms / np.where(later, 1.2, 1), 1e-3 * ms, later)
    _, same = fit(prior, {1.0: level}, {1.0: new})
    assert same.scales.campaign == 0


def test_intervals_cover_and_the_fit_beats_the_prior() -> None:
    rng = np.random.default_rng(2)
    covered, errors, before = [], [], []
    for _ in range(40):
        prior, counts = problem(rng, networks=60, entries=20)
        scales = Scales(0.1, 0.07, 0.05, 0.01)
        truth = rng.multivariate_normal(prior.mean_ms, covariance(prior, scales))
        ms = counts @ truth * rng.normal(1, 0.01, len(counts))
        seen, new = slice(0, 25), slice(25, None)
        observed = observations(counts[seen], ms[seen], 0 * ms[seen])
        _, fitted = fit(prior, {1.0: observed}, {1.0: counts[new]})
        mean, std = predict(fitted, counts[new])
        covered.append(np.abs(mean - ms[new]) <= 1.645 * std)
        errors.append(np.abs(mean / ms[new] - 1))
        before.append(np.abs(counts[new] @ prior.mean_ms / ms[new] - 1))
    assert 0.85 < np.mean(covered) < 0.96
    assert np.mean(errors) < 0.02 < np.mean(before)


def test_all_likely_scales_say_the_mean_and_widen_the_intervals() -> None:
    """Against the mixture of all fits, each by its marginal likelihood, all written plainly."""
    rng = np.random.default_rng(7)
    prior, counts = problem(rng, networks=10)
    ms = counts @ prior.mean_ms * rng.normal(1, 0.012, len(counts))
    new = rng.integers(1, 4, (6, len(prior.mean_ms))).astype(float)
    grid = tuple(Scales(0.1, 0.05, own, network) for own in (0.02, 0.1) for network in (0.01, 0.03))
    _, fitted = fit(prior, {1.0: observations(counts, ms, 0.004 * ms)}, {1.0: new}, grid)
    evidence, means, variances = [], [], []
    for scales in grid:
        noise = np.diag((scales.network**2 + 0.004**2) * ms**2)
        cov = covariance(prior, scales)
        total = counts @ cov @ counts.T + noise
        evidence.append(multivariate_normal(counts @ prior.mean_ms, total).pdf(ms))
        gain = cov @ counts.T @ np.linalg.inv(total)
        means.append(new @ (prior.mean_ms + gain @ (ms - counts @ prior.mean_ms)))
        left = np.diag(new @ (cov - gain @ counts @ cov) @ new.T)
        variances.append(left + (scales.network**2 + 0.004**2) * means[-1] ** 2)
    weight = np.array(evidence) / sum(evidence)
    assert np.sort(weight)[-2] > 0.05, "one of the scales is as good as certain: nothing is tested"
    best, mean = int(weight.argmax()), weight @ np.array(means)
    assert fitted.scales == grid[best]
    np.testing.assert_allclose(predict(fitted, new)[0], mean, rtol=1e-9)
    square = weight @ (np.array(variances) + (np.array(means) - mean) ** 2)
    own = variances[best] + (0.004**2 + grid[best].network ** 2) * (mean**2 - means[best] ** 2)
    wanted = float(np.mean((square - own) / mean**2))
    assert fitted.unsure == pytest.approx(max(wanted, 0) ** 0.5, rel=1e-6)
    assert fitted.unsure > 0
    sure = replace(fitted, unsure=0.0)
    np.testing.assert_allclose(
        predict(fitted, new)[1] ** 2 - predict(sure, new)[1] ** 2, (fitted.unsure * mean) ** 2
    )


def test_other_likely_thresholds_widen_the_intervals_and_leave_the_mean() -> None:
    """Two thresholds under which the networks are alike, and those that are asked for are not."""
    rng = np.random.default_rng(11)
    prior, counts = problem(rng, networks=12)
    ms = counts @ prior.mean_ms * rng.normal(1, 0.01, len(counts))
    near = rng.integers(1, 4, (6, len(prior.mean_ms))).astype(float)
    far = near.copy()
    far[:, 1] += 20
    observed = observations(counts, ms, 0.004 * ms)
    _, one = fit(prior, {1.0: observed}, {1.0: near})
    threshold, both = fit(prior, {1.0: observed, 2.0: observed}, {1.0: near, 2.0: far})
    assert threshold == 1.0
    np.testing.assert_allclose(both.mean_ms, one.mean_ms)
    apart = [predict(one, there)[0] for there in (near, far)]
    half = float(np.mean(((apart[1] - apart[0]) / apart[0]) ** 2)) / 2
    assert both.unsure**2 - one.unsure**2 > 0.9 * half


def test_the_threshold_that_explains_the_networks_is_chosen() -> None:
    rng = np.random.default_rng(3)
    prior, counts = problem(rng, networks=25)
    weights = rng.uniform(0, 4, 25)
    designs = {}
    for threshold in (1.0, 2.0, 3.0):
        designs[threshold] = counts.copy()
        designs[threshold][:, 1] = np.maximum(0, weights - threshold)
    truth = prior.mean_ms + np.eye(len(prior.mean_ms))[1] * 0.05
    ms = designs[2.0] @ truth
    observed = {t: observations(design, ms, 0.001 * ms) for t, design in designs.items()}
    threshold, fitted = fit(prior, observed, designs)
    assert threshold == 2.0
    assert fitted.mean_ms[1] == pytest.approx(0.05, rel=0.2)
    assert fitted.scales in GRID


def test_strata_are_of_equal_size_and_in_the_order_of_time() -> None:
    ms = np.random.default_rng(5).permutation(24).astype(float)
    assert strata(ms, 6).tolist() == (ms // 4).tolist()
    assert strata(np.array([3.0, 1.0, 2.0]), 99).tolist() == [2, 0, 1]
    assert sorted(np.bincount(strata(np.ones(11), 3))) == [3, 4, 4]


def test_d_optimal_takes_one_of_each_stratum_nearly_the_best_ones() -> None:
    rng = np.random.default_rng(4)
    prior, counts = problem(rng, networks=16, entries=6)
    scales, groups = Scales(), np.arange(16) % 4
    cov = covariance(prior, scales)

    def information(chosen: Sequence[int]) -> float:
        A = counts[list(chosen)]
        noise = np.diag((scales.network * (A @ prior.mean_ms)) ** 2)
        return float(np.linalg.slogdet(A @ cov @ A.T + noise)[1] - np.linalg.slogdet(noise)[1])

    allowed = itertools.product(*(np.flatnonzero(groups == group) for group in range(4)))
    every = sorted(map(information, allowed))
    chosen = d_optimal(counts, prior, groups, scales)
    assert sorted(groups[chosen]) == [0, 1, 2, 3]
    assert information(chosen) >= every[int(0.98 * len(every))]


def test_d_optimal_is_free_where_each_candidate_is_a_stratum() -> None:
    prior, counts = problem(np.random.default_rng(4), networks=12, entries=6)
    assert sorted(d_optimal(counts, prior, np.arange(12))) == list(range(12))


def test_adding_networks_to_a_fit_is_fitting_them_together() -> None:
    rng = np.random.default_rng(0)
    counts = np.hstack([np.ones((12, 1)), np.zeros((12, 1)), rng.integers(0, 3, (12, 5))])
    prior = Prior(
        np.array([0.0, 0.0, 1.0, 2.0, 1.0, 3.0, 2.0]),
        np.full(7, 0.1),
        np.array([-1, -1, 0, 0, 1, 1, 1]),
    )
    ms = counts @ prior.mean_ms * rng.uniform(0.9, 1.1, 12) + 1
    every = Observations(counts, ms, 0.01 * ms, np.ones(12, dtype=bool))
    first, rest = (
        Observations(counts[part], ms[part], 0.01 * ms[part], every.later[part])
        for part in (slice(0, 5), slice(5, None))
    )
    together = posterior(prior, every, Scales())
    apart = conditioned(posterior(prior, first, Scales()), rest)
    np.testing.assert_allclose(apart.mean_ms, together.mean_ms)
    np.testing.assert_allclose(predict(apart, counts)[0], predict(together, counts)[0])
    spreads = [predict(replace(one, repeat=0.0), counts)[1] for one in (apart, together)]
    np.testing.assert_allclose(*spreads)
