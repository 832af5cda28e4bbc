"""What proxies see of every single layer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from predictors.proxies.batch import checked
from predictors.proxies.passes.gradients import Gradients
from predictors.proxies.passes.loss import loss_gradients
from predictors.proxies.passes.positive import positive
from predictors.proxies.scratch import scratch

Floats = npt.NDArray[np.float64]

STATISTICS = ("size", "weight norm", "gradient norm", "plain", "snip", "synflow")
"""Of every weight tensor, as inverse hyperbolic sines: logarithmic on both sides of zero."""


def nodes(model: nn.Module, batch: tuple[Tensor, Tensor], *, seed: int = 0) -> Floats:
    """The statistics of a network's weight tensors in the order of its modules: [nodes, 6].

    Costs a pass of the loss on images [N, ...] and labels [N], and one of SynFlow. What overflows
    counts as the largest number.

    Raises:
        ProxyError: as ``proxies.score``.
    """
    images = checked(model, *batch)
    records: list[Gradients] = []
    for needs in (loss_gradients, positive):
        with scratch(model, seed, needs) as mine:
            records.append(needs(mine, images, torch.Generator().manual_seed(seed), set()))
    loss, flow = records
    rows = [
        [
            weight.numel(),
            float(weight.norm()),
            float(gradient.norm()),
            float((weight * gradient).sum()),
            float((weight * gradient).abs().sum()),
            float((positive_weight * by_flow).sum()),
        ]
        for weight, gradient, positive_weight, by_flow in zip(
            loss.weights, loss.gradients, flow.weights, flow.gradients, strict=True
        )
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, len(STATISTICS))
    scaled: Floats = np.arcsinh(np.nan_to_num(table, nan=np.finfo(float).max))
    return scaled
