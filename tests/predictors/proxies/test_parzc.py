"""ParZC and its parts: against definitions, and on networks whose layers are not worth the same."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.special import erf
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from predictors import PredictorError, archive, ranks
from predictors.proxies.parzc import STATISTICS, ParZC, nodes
from predictors.proxies.parzc.diffkendall import diff_kendall
from predictors.proxies.parzc.mixer import BayesianLinear, Mixer
from search_spaces.errors import ArtefactError

Floats = npt.NDArray[np.float64]


def test_statistics_of_nodes_by_the_formulas() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(4, 5, bias=False), nn.Linear(5, 3, bias=False)
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    F.cross_entropy(second(first(x).relu()), y).backward()
    flow = float(second.weight.detach().abs().mm(first.weight.detach().abs()).sum())
    table = nodes(nn.Sequential(first, nn.ReLU(), second), (x, y))
    assert table.shape == (2, len(STATISTICS))
    for row, layer in zip(table, (first, second), strict=True):
        weight, gradient = layer.weight.detach(), layer.weight.grad
        assert gradient is not None
        product = weight * gradient
        norms = [weight.norm(), gradient.norm(), product.sum(), product.abs().sum()]
        expected = [weight.numel(), *map(float, norms), flow]
        np.testing.assert_allclose(np.sinh(row), expected, rtol=1e-4)


def test_statistics_are_finite_where_the_network_overflows() -> None:
    layers = [nn.Linear(8, 8) for _ in range(60)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1e20)
    table = nodes(nn.Sequential(*layers), (torch.ones(2, 8), torch.tensor([0, 1])))
    assert table.shape == (60, len(STATISTICS)) and np.isfinite(table).all()


def test_smooth_tau_by_its_definition() -> None:
    a, b = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([0.5, 0.2, 2.0])
    pairs = list(itertools.combinations(range(3), 2))
    expected = sum(math.tanh(2 * float((a[i] - a[j]) * (b[i] - b[j]))) for i, j in pairs) / 3
    assert float(diff_kendall(a, b)) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 20))
    sharp = float(diff_kendall(torch.from_numpy(p), torch.from_numpy(q), 1e9))
    assert sharp == pytest.approx(ranks.kendall(p, q))


def test_following_the_smooth_tau_ranks() -> None:
    actual = torch.tensor([3.0, 1.0, 2.0, 0.0])
    # From close together: pairs that are far apart the wrong way have no slope to follow.
    predicted = torch.tensor([0.0, 0.03, 0.01, 0.02], requires_grad=True)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(diff_kendall(predicted, actual), predicted)
        predicted = (predicted + 0.1 * gradient).detach().requires_grad_()
    assert predicted.argsort().tolist() == actual.argsort().tolist()


def test_the_divergence_is_that_of_normal_distributions() -> None:
    layer = BayesianLinear(3, 2, torch.Generator().manual_seed(0))
    mine = Normal(layer.mean, F.softplus(layer.spread))
    expected = kl_divergence(mine, Normal(0.0, 1.0)).sum()
    assert layer.divergence().item() == pytest.approx(expected.item(), rel=1e-5)


def mixed(x: Floats, state: dict[str, Floats], noise: torch.Generator) -> Floats:
    """Statistics [n, nodes, statistics] to scores [n], as the papers say it.

    Equation 1 of "MLP-Mixer", U = X + W2 gelu(W1 norm(X)) over nodes and Y = U + W4 gelu(W3
    norm(U)) over statistics, between an embedding and a linear head; each layer's weights and
    biases are mean + log(1 + exp(rho)) noise ("Weight Uncertainty in Neural Networks", 3.2).
    """

    def linear(name: str, x: Floats) -> Floats:
        mean, rho = state[f"{name}.mean"], state[f"{name}.spread"]
        drawn = torch.randn(mean.shape, generator=noise).double().numpy()
        *weights, biases = (mean + np.log1p(np.exp(rho)) * drawn).T
        return x @ np.array(weights) + biases

    def norm(name: str, x: Floats) -> Floats:
        away = x - x.mean(-1, keepdims=True)
        away /= np.sqrt((away**2).mean(-1, keepdims=True) + 1e-5)
        return away * state[f"{name}.weight"] + state[f"{name}.bias"]

    def gelu(x: Floats) -> Floats:
        return x * (1 + erf(x / math.sqrt(2))) / 2

    y = linear("embed", x)
    across = np.swapaxes(norm("before_nodes", y), 1, 2)
    across = linear("over_nodes.1", gelu(linear("over_nodes.0", across)))
    y = y + np.swapaxes(across, 1, 2)
    within = norm("before_statistics", y)
    y = y + linear("over_statistics.1", gelu(linear("over_statistics.0", within)))
    return linear("head", y.reshape(len(y), -1))[:, 0]


def test_the_mixer_by_its_equations() -> None:
    rng = torch.Generator().manual_seed(1)
    mixer = Mixer(nodes=5, statistics=3, width=4, rng=rng)
    with torch.no_grad():
        # Biases, norms and deviations as no start has them: what is left out or swapped shows.
        for parameter in mixer.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng) / 3)
        x = torch.randn(7, 5, 3, generator=rng)
        found = mixer(x, torch.Generator().manual_seed(2))
    state = {name: tensor.double().numpy() for name, tensor in mixer.state_dict().items()}
    expected = mixed(x.double().numpy(), state, torch.Generator().manual_seed(2))
    assert found.shape == (7,) and np.ptp(expected) > 0.1
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def networks(n: int, seed: int) -> tuple[list[Floats], Floats]:
    """Two to five nodes; what is good in the first is bad in the second, the rest says nothing."""
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(rng.integers(2, 6), 3)) for _ in range(n)]
    labels = np.array([80 + 2 * one[0, 0] - 2 * one[1, 0] for one in tables])
    return tables, labels


def test_layers_are_worth_what_labels_say() -> None:
    tables, labels = networks(60, 0)
    others, truth = networks(200, 1)
    model = ParZC(seed=3).fit(tables, labels)
    mean, std = model.predict(others, return_std=True)
    assert ranks.kendall(mean, truth) > 0.6
    assert abs(ranks.kendall([one[:, 0].sum() for one in others], truth)) < 0.2
    assert (std > 0).all() and np.mean(np.abs(mean - truth)) < 2
    np.testing.assert_array_equal(model.predict(others), mean)
    np.testing.assert_array_equal(ParZC(seed=3).fit(tables, labels).predict(others), mean)
    deeper = [np.concatenate([one, np.ones((9, 3))]) for one in others]
    assert np.isfinite(model.predict(deeper)).all()


@pytest.fixture(scope="module")
def fitted() -> ParZC:
    return ParZC(seed=4).fit(*networks(20, 5))


def test_what_was_saved_predicts_the_same(fitted: ParZC, tmp_path: Path) -> None:
    path = tmp_path / "parzc.npz"
    fitted.save(path)
    others, _ = networks(30, 6)
    again = ParZC.load(path)
    np.testing.assert_array_equal(
        again.predict(others, return_std=True), fitted.predict(others, return_std=True)
    )
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    with pytest.raises(PredictorError, match="fitted on 3 statistics a node; got 4"):
        again.predict([np.ones((2, 4))])


def test_what_is_no_saved_parzc_is_refused(fitted: ParZC, tmp_path: Path) -> None:
    path = tmp_path / "parzc.npz"
    with pytest.raises(ArtefactError, match="no such file"):
        ParZC.load(path)
    with pytest.raises(PredictorError, match="nothing to save"):
        ParZC().save(path)
    with pytest.raises(PredictorError, match=r"ends with \.npz; got .*parzc\.bin"):
        fitted.save(tmp_path / "parzc.bin")
    assert not [*tmp_path.iterdir()]
    fitted.save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError, match="not a saved ParZC, or truncated"):
            ParZC.load(path)
    path.write_bytes(whole)
    header, arrays = archive.read(path)
    for other, kept, says in (
        ({**header, "parzc": 9}, arrays, "format 9 is not 1"),
        ({"format": 2}, arrays, "not a saved ParZC, it has no 'parzc'"),
        (header, {"centre": arrays["centre"]}, "it has no 'spread'"),
        (header, {**arrays, "spread": np.ones(2)}, "of every statistic"),
        ({**header, "nodes": 7}, arrays, "not those of a mixer"),
        ({**header, "line": 1}, arrays, "not a saved ParZC"),
    ):
        archive.write(path, other, kept)
        with pytest.raises(ArtefactError, match=says):
            ParZC.load(path)
    np.savez(path, header=np.array(["a", {}], dtype=object))
    with pytest.raises(ArtefactError, match="not a saved ParZC"):
        ParZC.load(path)


def test_what_nothing_can_be_learned_from_is_refused() -> None:
    tables, labels = networks(5, 2)
    for given, y, says in (
        (tables, labels[:4], "one finite label for each of 5"),
        (tables, [1, 2, 3, 4, np.nan], "one finite label"),
        (tables, [1.0] * 5, "two different labels"),
        (tables[:1], labels[:1], "two different labels"),
        ([*tables[:4], np.ones((2, 4))], labels, "equal width"),
        ([*tables[:4], np.full((2, 3), np.inf)], labels, "are finite"),
        ([np.ones((0, 3))] * 5, labels, "without weights"),
    ):
        with pytest.raises(PredictorError, match=says):
            ParZC().fit(given, y)
    with pytest.raises(PredictorError, match="not fitted"):
        ParZC().predict(tables)
