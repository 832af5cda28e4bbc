"""Proxies of gradients against the formulas, on a network that is differentiated by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from predictors import proxies

Floats = npt.NDArray[np.float64]
N, INPUTS, HIDDEN, CLASSES = 4, 6, 5, 3


class ByHand:
    """logits = W2 relu(W1 x), its cross-entropy, and all derivatives of single images, in NumPy."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.W1, self.W2 = rng.normal(size=(HIDDEN, INPUTS)), rng.normal(size=(CLASSES, HIDDEN))
        self.x, self.y = rng.normal(size=(N, INPUTS)), np.array([0, 2, 1, 2])
        self.hidden = self.x @ self.W1.T
        self.on = self.hidden > 0
        self.logits = self.hidden * self.on @ self.W2.T
        shares = np.exp(self.logits) / np.exp(self.logits).sum(1, keepdims=True)
        self.by_logits = shares - np.eye(CLASSES)[self.y]
        self.by_hidden = self.by_logits @ self.W2 * self.on

    def of_images(self) -> tuple[Floats, Floats]:
        """Derivatives of each image's loss by W1 [N, ...] and W2 [N, ...]."""
        by_w2 = np.einsum("nc,nh->nch", self.by_logits, self.hidden * self.on)
        return np.einsum("nh,ni->nhi", self.by_hidden, self.x), by_w2

    def module(self) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
        """The same in PyTorch, in double precision."""
        layers = [nn.Linear(INPUTS, HIDDEN, False), nn.ReLU(), nn.Linear(HIDDEN, CLASSES, False)]
        net = nn.Sequential(*layers).double()
        with torch.no_grad():
            for parameter, W in zip(net.parameters(), (self.W1, self.W2), strict=True):
                parameter.copy_(torch.from_numpy(W))
        return net, (torch.from_numpy(self.x), torch.from_numpy(self.y))


@pytest.fixture
def by_hand() -> ByHand:
    return ByHand()


def scored(by_hand: ByHand, name: str) -> float:
    return proxies.score(*by_hand.module(), (name,))[name]


def test_gradient_norm_plain_and_snip(by_hand: ByHand) -> None:
    g1, g2 = (each.mean(0) for each in by_hand.of_images())
    assert scored(by_hand, "grad_norm") == pytest.approx(
        math.sqrt((g1**2).sum()) + math.sqrt((g2**2).sum())
    )
    products = [*(by_hand.W1 * g1).flat, *(by_hand.W2 * g2).flat]
    assert scored(by_hand, "plain") == pytest.approx(sum(products))
    assert scored(by_hand, "snip") == pytest.approx(sum(map(abs, products)))


def test_fisher(by_hand: ByHand) -> None:
    # Half the mean over images of (activation times derivative of the image's own loss) squared.
    first = (by_hand.hidden * by_hand.by_hidden) ** 2
    second = (by_hand.logits * by_hand.by_logits) ** 2
    expected = (first.mean(0).sum() + second.mean(0).sum()) / 2
    assert scored(by_hand, "fisher") == pytest.approx(math.log(expected))


def test_fisher_sums_a_channel_over_its_positions() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.Flatten()).double()
    x, y = torch.randn(2, 2, 4, 4).double(), torch.tensor([1, 5])
    maps = net[0](x).detach().requires_grad_()
    F.cross_entropy(maps.clone().relu().flatten(1), y, reduction="sum").backward()
    assert maps.grad is not None
    saliency = np.einsum("nchw,nchw->nc", maps.detach().numpy(), maps.grad.numpy())
    expected = math.log((saliency**2).mean(0).sum() / 2)
    assert proxies.score(net, (x, y), ("fisher",))["fisher"] == pytest.approx(expected)


def test_grasp_is_minus_weights_times_hessian_times_gradient(by_hand: ByHand) -> None:
    _, (x, y) = by_hand.module()
    flat = torch.from_numpy(np.concatenate([by_hand.W1.ravel(), by_hand.W2.ravel()]))

    def loss(weights: Tensor) -> Tensor:
        W1, W2 = weights.split([HIDDEN * INPUTS, CLASSES * HIDDEN])
        hidden = (x @ W1.view(HIDDEN, INPUTS).T).relu()
        return F.cross_entropy(hidden @ W2.view(CLASSES, HIDDEN).T, y)

    hessian = torch.autograd.functional.hessian(loss, flat)
    gradient = torch.autograd.functional.jacobian(loss, flat)
    expected = -float(flat @ hessian @ gradient)  # type: ignore[operator]
    assert scored(by_hand, "grasp") == pytest.approx(math.asinh(expected))


def test_synflow_of_a_chain_is_its_flow_once_a_layer(by_hand: ByHand) -> None:
    flow = (np.abs(by_hand.W2) @ np.abs(by_hand.W1) @ np.ones(INPUTS)).sum()
    assert scored(by_hand, "synflow") == pytest.approx(math.log1p(2 * flow))


def test_synflow_leaves_norms_out_and_survives_any_depth() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    net[1].running_var.fill_(100.0)  # type: ignore[operator, union-attr]
    nn.init.constant_(net[1].weight, -5.0)  # type: ignore[arg-type]
    flow = F.conv2d(torch.ones(1, 3, 6, 6).double(), net[0].weight.abs().double()).sum().detach()  # type: ignore[operator]
    batch = torch.randn(2, 3, 6, 6), torch.zeros(2, dtype=torch.int64)
    score = proxies.score(net, batch, ("synflow",))["synflow"]
    assert score == pytest.approx(math.log1p(float(flow)))
    deep = nn.Sequential(*[nn.Linear(64, 64) for _ in range(400)])
    for parameter in deep.parameters():
        nn.init.ones_(parameter)
    score = proxies.score(deep, (torch.ones(1, 64), batch[1][:1]), ("synflow",))["synflow"]
    assert score == pytest.approx(math.log(np.finfo(float).max))


def test_jacobian_covariance(by_hand: ByHand) -> None:
    # The derivative of all logits' sum by an image: one row of weights through the units on.
    jacobian = (by_hand.on * by_hand.W2.sum(0)) @ by_hand.W1
    v = np.linalg.eigvalsh(np.corrcoef(jacobian)).clip(0)
    expected = -np.sum(np.log(v + 1e-5) + 1 / (v + 1e-5))
    assert scored(by_hand, "jacob_cov") == pytest.approx(expected, rel=1e-6)


def test_tangent_kernel(by_hand: ByHand) -> None:
    ones = np.ones((N, CLASSES))
    by_w2 = np.einsum("nc,nh->nch", ones, by_hand.hidden * by_hand.on)
    by_w1 = np.einsum("nh,ni->nhi", ones @ by_hand.W2 * by_hand.on, by_hand.x)
    J = np.concatenate([by_w1.reshape(N, -1), by_w2.reshape(N, -1)], axis=1)
    values = np.linalg.eigvalsh(J @ J.T)
    assert scored(by_hand, "ntk") == pytest.approx(-math.log(values[-1] / values[0]))


def test_zico_and_gradsign(by_hand: ByHand) -> None:
    zico = gradsign = 0.0
    for gradients in by_hand.of_images():
        each = gradients.reshape(N, -1)
        deviation = each.std(0)
        seen = deviation > 0
        zico += math.log((np.abs(each).mean(0)[seen] / deviation[seen]).sum())
        gradsign += np.abs(np.sign(each).sum(0)).sum()
    assert scored(by_hand, "zico") == pytest.approx(zico)
    assert scored(by_hand, "gradsign") == gradsign


def test_single_images_are_run_with_the_norms_of_the_batch() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).double()
    x, y = torch.randn(5, 4).double(), torch.tensor([0, 1, 2, 2, 1])
    first, last = net[0], net[3]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    hidden = first(x).detach()
    mean, deviation = hidden.mean(0), (hidden.var(0) + 1e-5).sqrt()

    def loss(W1: Tensor, W2: Tensor, i: int) -> Tensor:
        normal = (x[i] @ W1.T + first.bias - mean) / deviation
        return F.cross_entropy(normal.relu() @ W2.T + last.bias, y[i])

    weights = first.weight.detach(), last.weight.detach()
    each: list[Any] = [
        torch.autograd.functional.jacobian(lambda *w: loss(*w, i), weights)  # noqa: B023
        for i in range(5)
    ]
    signs = sum(
        float(torch.stack([one[layer] for one in each]).sign().sum(0).abs().sum())
        for layer in range(2)
    )
    assert proxies.score(net, (x, y), ("gradsign",))["gradsign"] == signs
