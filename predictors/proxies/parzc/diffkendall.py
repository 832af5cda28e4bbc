"""Kendall's tau that can be differentiated.

Zheng et al., "DiffKendall: A Novel Approach for Few-Shot Learning with Differentiable Kendall's
Rank Correlation" (NeurIPS 2023), tau with its signs smoothed; as a loss of accuracy predictors in
Dong et al., "ParZC" (AAAI 2025).
"""

from __future__ import annotations

import torch
from torch import Tensor

SHARPNESS = 2.0


def diff_kendall(predicted: Tensor, actual: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """A smooth tau, -1 to 1, of predictions and labels [n]: a scalar; 0 of fewer than two.

    The mean over pairs of tanh(sharpness * difference of one * difference of the other): the
    product's sign says whether a pair agrees, and tanh smooths the sign.
    """
    first, second = torch.triu_indices(len(predicted), len(predicted), 1)
    if not len(first):
        return predicted.sum() * 0
    product = (predicted[first] - predicted[second]) * (actual[first] - actual[second])
    return torch.tanh(sharpness * product).mean()
