"""The moving average of a network's weights (Polyak and Juditsky, 1992; Tan and Le, 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["moving_average"]


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of the network whose ``update_parameters`` follows it, batch-norm statistics too.

    The decay of update t is at most (1 + t) / (10 + t), so that the weights it began with are soon
    forgotten.
    """
    return AveragedModel(network, multi_avg_fn=_follow(decay), use_buffers=True)


def _follow(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    def follow(average: Sequence[Tensor], now: Sequence[Tensor], updates: Tensor | int) -> None:
        # Called for the tensors of one type at a time.
        if not average[0].is_floating_point():  # How many batches a norm has seen.
            torch._foreach_copy_(list(average), list(now))
            return
        t = int(updates)
        torch._foreach_lerp_(list(average), list(now), 1 - min(decay, (1 + t) / (10 + t)))

    return follow
