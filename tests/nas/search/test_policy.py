"""The autoregressive policy: chances against enumeration, gradients against finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch

from nas.search.searchers import gflownet, policy_gradient
from nas.search.searchers.adam import Adam
from nas.search.searchers.policy import Policy
from search_spaces import Net, Space, choice, one_of
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
STEP = 1e-6


@pytest.fixture
def space() -> Space:
    """Options of two, two, three and two; the last two are not read where depth is 1."""
    net = Net(image=(3, choice("resolution", 8, 12)))
    depth = choice("depth", 1, 2)
    net("a", Conv, out=8)
    net("b", Conv, out=one_of(8, 16, 24), kernel=one_of(1, 3), when=depth > 1)
    net("classifier", Classifier, classes=2)
    return Space(net, "tiny")


@pytest.fixture
def policy(space: Space) -> Policy:
    """One whose weights are anything, for at zero half of a gradient is zero."""
    rng = np.random.default_rng(3)
    policy = Policy(space, 2, rng, hidden=5)
    for weights in policy.weights.values():
        weights += 0.7 * rng.normal(size=weights.shape)
    return policy


def everything(space: Space) -> npt.NDArray[np.int64]:
    options = [range(len(choice.values)) for choice in space.choices]
    return np.unique(space.canonical(list(itertools.product(*options))), axis=0)


def numeric(function, weights: dict[str, Floats]) -> dict[str, Floats]:  # type: ignore[no-untyped-def]
    """Central differences of a function of nothing by each of the weights."""
    found = {}
    for name, array in weights.items():
        slopes = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + STEP
            above = function()
            array[place] = kept - STEP
            slopes[place] = (above - function()) / (2 * STEP)
            array[place] = kept
        found[name] = slopes
    return found


def test_chances_of_all_networks_sum_to_one(space: Space, policy: Policy) -> None:
    rows = everything(space)
    assert len(rows) == 2 + 2 * 6
    context = np.tile([0.3, -1.2], (len(rows), 1))
    chances = np.exp(policy.score(rows, context).log_likelihood)
    assert chances.sum() == pytest.approx(1, abs=1e-12)
    assert chances.std() > 0.02


def test_samples_are_as_frequent_as_they_are_likely(space: Space, policy: Policy) -> None:
    rows = everything(space)
    context = np.tile([0.3, -1.2], (40_000, 1))
    drawn = policy.sample(context, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, space.canonical(drawn))
    counts = (drawn[:, None] == rows).all(axis=2).sum(axis=0)
    assert counts.sum() == len(drawn)
    chances = np.exp(policy.score(rows, context[: len(rows)]).log_likelihood)
    np.testing.assert_allclose(counts / len(drawn), chances, atol=0.01)


def test_who_only_wanders_draws_uniformly(space: Space, policy: Policy) -> None:
    drawn = policy.sample(np.ones((20_000, 2)), np.random.default_rng(0), wander=1.0)
    deep = drawn[drawn[:, 1] == 1]
    assert len(deep) / len(drawn) == pytest.approx(0.5, abs=0.015)
    np.testing.assert_allclose(np.bincount(deep[:, 2]) / len(deep), 1 / 3, atol=0.015)


def test_starts_uniform_over_choices(space: Space) -> None:
    fresh = Policy(space, 2, np.random.default_rng(0))
    likelihood = fresh.score(everything(space), np.ones((14, 2))).log_likelihood
    depth = everything(space)[:, 1]
    np.testing.assert_allclose(likelihood, np.where(depth == 0, np.log(1 / 4), np.log(1 / 24)))


def test_gradient_of_log_likelihoods(space: Space, policy: Policy) -> None:
    rng = np.random.default_rng(1)
    rows = everything(space)[rng.integers(0, 14, 6)]
    context, shares = rng.normal(size=(6, 2)), rng.normal(size=6)
    found = policy.gradient(policy.score(rows, context), shares)
    expected = numeric(lambda: shares @ policy.score(rows, context).log_likelihood, policy.weights)
    assert set(found) == set(policy.weights)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-7, err_msg=name)
        assert np.abs(found[name]).max() > 1e-3, name


def test_gradient_of_trajectory_balance(space: Space, policy: Policy) -> None:
    rng = np.random.default_rng(2)
    rows = everything(space)[rng.integers(0, 14, 7)]
    preferences, log_rewards = rng.dirichlet(np.ones(2), 7), rng.normal(size=7)
    flow = rng.normal(size=2)

    def loss() -> float:
        return gflownet.imbalance(policy, flow, rows, preferences, log_rewards)[0]

    # The loss itself, by its definition, row by row.
    gaps = [
        gflownet.HASTE * float(preferences[i] @ flow)
        + float(policy.score(rows[[i]], preferences[[i]]).log_likelihood[0])
        - float(log_rewards[i])
        for i in range(7)
    ]
    assert loss() == pytest.approx(sum(gap**2 for gap in gaps) / 7)
    _, found = gflownet.imbalance(policy, flow, rows, preferences, log_rewards)
    expected = numeric(loss, {**policy.weights, "flow": flow})
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6, err_msg=name)


def test_balance_draws_in_proportion_to_rewards(space: Space) -> None:
    rng = np.random.default_rng(0)
    policy, flow, adam = Policy(space, 2, rng), np.zeros(2), Adam(0.02)
    rows = everything(space)
    # Each preference has rewards of its own.
    rewards = rng.uniform(1, 20, (2, len(rows)))
    ends = np.repeat(np.eye(2), len(rows), axis=0)
    learnt = {**policy.weights, "flow": flow}
    for _ in range(1500):
        _, gradient = gflownet.imbalance(
            policy, flow, np.tile(rows, (2, 1)), ends, np.log(rewards).ravel()
        )
        adam.step(learnt, gradient)
    for end, reward in zip(np.eye(2), rewards, strict=True):
        context = np.tile(end, (len(rows), 1))
        chances = np.exp(policy.score(rows, context).log_likelihood)
        np.testing.assert_allclose(chances, reward / reward.sum(), rtol=0.06)
    np.testing.assert_allclose(np.exp(gflownet.HASTE * flow), rewards.sum(axis=1), rtol=0.02)


def test_gradient_of_the_clipped_loss(space: Space, policy: Policy) -> None:
    rng = np.random.default_rng(4)
    rows = everything(space)[rng.integers(0, 14, 40)]
    contexts, advantages = rng.normal(size=(40, 2)), rng.normal(size=40)
    # Rows that became likelier and unlikelier, across all clips.
    moved = rng.normal(size=40) * 2.5
    before = policy.score(rows, contexts).log_likelihood - moved
    clip, dual = policy_gradient.CLIP, policy_gradient.DUAL_CLIP

    def loss() -> float:
        log = policy.score(rows, contexts).log_likelihood
        ratio = np.exp(log - before)
        clipped = np.clip(ratio, 1 - clip, 1 + clip)
        worth = np.minimum(ratio * advantages, clipped * advantages)
        worth = np.where(advantages < 0, np.maximum(worth, dual * advantages), worth)
        bonus = policy_gradient.ENTROPY * (log**2 / 2 + log)
        return float((-worth + bonus).mean())

    good, up, down = advantages > 0, moved > np.log(1 + clip), moved < np.log(1 - clip)
    assert (good & up).any() and (good & down).any() and (~good & up).any() and (~good & down).any()
    assert (~good & (moved > np.log(dual))).any()
    found = policy_gradient.loss_gradient(policy, rows, contexts, advantages, before)
    expected = numeric(loss, policy.weights)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6, err_msg=name)


def test_steps_are_those_of_pytorchs_adam() -> None:
    rng = np.random.default_rng(0)
    ours = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    theirs = {name: torch.tensor(array, requires_grad=True) for name, array in ours.items()}
    reference = torch.optim.Adam(list(theirs.values()), lr=0.1)
    adam = Adam(0.1)
    for _ in range(5):
        gradient = {name: rng.normal(size=array.shape) for name, array in ours.items()}
        adam.step(ours, gradient)
        for name, tensor in theirs.items():
            tensor.grad = torch.tensor(gradient[name])
        reference.step()
    for name, tensor in theirs.items():
        np.testing.assert_allclose(ours[name], tensor.detach().numpy(), rtol=1e-10)
