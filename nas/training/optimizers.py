"""The optimizers of a training."""

from __future__ import annotations

import torch
from torch import nn

from nas.config import TrainConfig
from nas.config_training import USUAL
from nas.training.muon import MOMENTUM, Muon

__all__ = ["make_optimizer"]

# Of fewer inputs a convolution is no matrix to speak of: the stem, and depthwise ones.
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
    rate, decay = config.highest_rate, config.decay
    undecayed = {"params": free, "weight_decay": 0.0}
    if config.optimizer == "muon":
        matrices = [p for p in decaying if _is_matrix(p)]
        others = [p for p in decaying if not _is_matrix(p)]
        return Muon(
            [
                {"params": matrices, "weight_decay": decay, "matrix": True},
                undecayed,
                {"params": others, "weight_decay": USUAL["sgd"][1]},
            ],
            rate,
        )
    groups = [{"params": decaying, "weight_decay": decay}, undecayed]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, MOMENTUM, nesterov=True, foreach=True)
    return torch.optim.AdamW(groups, rate, fused=True)


def _is_matrix(parameter: nn.Parameter) -> bool:
    return parameter.ndim == 4 and parameter.shape[1] >= LEAST_INPUTS
