"""The Bayesian mixer: layers mix, statistics mix, and a score comes out with its doubt.

Tolstikhin et al., "MLP-Mixer" (NeurIPS 2021), with weights that are distributions (Blundell et
al., "Weight Uncertainty in Neural Networks", ICML 2015), as Dong et al., "ParZC" (AAAI 2025)
combine them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

START = -4.0
"""Deviations of weights start at softplus of this, about 0.018."""


class BayesianLinear(nn.Module):
    """A linear layer whose weights and biases are independent normal distributions."""

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        start = torch.randn(outputs, inputs + 1, generator=rng) / math.sqrt(inputs)
        start[:, -1] = 0
        self.mean = nn.Parameter(start)
        self.spread = nn.Parameter(torch.full_like(start, START))

    def forward(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """[..., inputs] to [..., outputs], with weights that are drawn once a call."""
        noise = torch.randn(self.mean.shape, generator=rng)
        drawn = self.mean + F.softplus(self.spread) * noise
        return F.linear(x, drawn[:, :-1], drawn[:, -1])

    def divergence(self) -> Tensor:
        """Kullback-Leibler from the standard normal distribution, a scalar."""
        deviation = F.softplus(self.spread)
        return (self.mean.square() + deviation.square() - 1).sum() / 2 - deviation.log().sum()


class Mixer(nn.Module):
    """Statistics [n, nodes, statistics] to scores [n]."""

    def __init__(self, nodes: int, statistics: int, width: int, rng: torch.Generator) -> None:
        """``nodes``: as many as the largest network has; smaller ones are filled up with zeros."""
        super().__init__()
        self.embed = BayesianLinear(statistics, width, rng)
        self.over_nodes = nn.ModuleList(
            [BayesianLinear(nodes, width, rng), BayesianLinear(width, nodes, rng)]
        )
        self.over_statistics = nn.ModuleList(
            [BayesianLinear(width, width, rng), BayesianLinear(width, width, rng)]
        )
        self.head = BayesianLinear(nodes * width, 1, rng)
        self.before_nodes, self.before_statistics = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, rng: torch.Generator) -> Tensor:
        y = self.embed(x, rng)
        y = y + _twice(self.over_nodes, self.before_nodes(y).mT, rng).mT
        y = y + _twice(self.over_statistics, self.before_statistics(y), rng)
        scores: Tensor = self.head(y.flatten(1), rng)[:, 0]
        return scores

    def divergence(self) -> Tensor:
        """Of all layers."""
        layers = [module for module in self.modules() if isinstance(module, BayesianLinear)]
        return torch.stack([layer.divergence() for layer in layers]).sum()


def _twice(layers: nn.ModuleList, x: Tensor, rng: torch.Generator) -> Tensor:
    first, second = layers
    y: Tensor = second(F.gelu(first(x, rng)), rng)
    return y
