"""The optimizers of a training."""

from __future__ import annotations

import torch
from torch import nn

from nas.config import TrainConfig

__all__ = ["make_optimizer"]

MOMENTUM = 0.9


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019), or SGD (Sutskever et al., ICML 2013, equation 3).

    Norms, biases and transforms do not decay.
    """
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        plain = parameter.ndim < 2 or "transform" in name
        (free if plain else decaying).append(parameter)
    groups = [
        {"params": decaying, "weight_decay": config.decay},
        {"params": free, "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, config.highest_rate, MOMENTUM, nesterov=True, foreach=True)
    return torch.optim.AdamW(groups, config.highest_rate, fused=True)
