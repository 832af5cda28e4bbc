"""The optimizers of a training."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nas.config import TrainConfig
from nas.config_training import USUAL
from nas.training.muon import MOMENTUM, Muon

__all__ = ["make_optimizer"]

# Of fewer inputs there is no matrix to speak of: the stem and depthwise convolutions.
LEAST_INPUTS = 8


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019), SGD (Sutskever et al., ICML 2013, eq. 3), or Muon.

    Norms, biases and transforms do not decay. With Muon what is no convolution, and convolutions of
    few inputs, decay as is usual for SGD.
    """
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        plain = parameter.ndim < 2 or "transform" in name
        (free if plain else decaying).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": decaying, "weight_decay": config.decay},
        {"params": free, "weight_decay": 0.0},
    ]
    rate = config.highest_rate
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, MOMENTUM, nesterov=True, foreach=True)
    if config.optimizer == "muon":
        matrices = [p for p in decaying if p.ndim == 4 and p.shape[1] >= LEAST_INPUTS]
        chosen = {id(p) for p in matrices}
        groups[0] = {"params": matrices, "weight_decay": config.decay, "matrix": True}
        others = [p for p in decaying if id(p) not in chosen]
        groups.append({"params": others, "weight_decay": USUAL["sgd"][1]})
        return Muon(groups, rate)
    return torch.optim.AdamW(groups, rate, fused=True)
