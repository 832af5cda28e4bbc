"""Where the parts of any network are: weights, norms and blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils.hooks import RemovableHandle

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
NORMS = (_BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def weights(model: nn.Module) -> list[nn.Parameter]:
    """What multiplies activations: parameters with two axes or more, each once.

    These are the weights of convolutions, linear layers and attention, and neither biases nor the
    scales of norms.
    """
    return [parameter for parameter in model.parameters() if parameter.ndim > 1]


def weighted(model: nn.Module) -> list[nn.Module]:
    """Convolutions and linear layers."""
    return [module for module in model.modules() if isinstance(module, _ConvNd | nn.Linear)]


def norms(model: nn.Module) -> list[nn.Module]:
    """Normalising layers of any kind."""
    return [module for module in model.modules() if isinstance(module, NORMS)]


def blocks(model: nn.Module) -> list[nn.Module]:
    """The parts of a network that people would name: what its containers hold, in order.

    The network itself and containers within it are looked into; any other module is one block,
    such as a residual block, or a convolution that stands alone.
    """
    return list(_blocks(model)) or [model]


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, CONTAINERS):
            yield from _blocks(child)
        else:
            yield child


def normalise_by_batch(model: nn.Module) -> list[RemovableHandle]:
    """Let batch norms normalise by the images that they are given, as in training.

    One that gets a single value a channel has no deviation to divide by, and goes by the
    statistics that it keeps.
    """
    found = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in found:
        if norm.running_var is None:
            forget_statistics(norm)
    return [norm.register_forward_pre_hook(_by_batch_if_it_can) for norm in found]


def forget_statistics(norm: _BatchNorm) -> None:
    """Let it start from mean 0 and variance 1, and keep the statistics of the last batch alone."""
    like = next(norm.parameters(), torch.zeros(())).new_ones(norm.num_features)
    norm.running_mean, norm.running_var = torch.zeros_like(like), like
    norm.track_running_stats, norm.momentum = True, 1.0


def _by_batch_if_it_can(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    x: Tensor = inputs[0]
    module.training = x.numel() > x.shape[1]
