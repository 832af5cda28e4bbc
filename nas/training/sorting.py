"""Channels sorted by importance, before a phase lets networks be narrower."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nas.config import Phase
from nas.training.phases import Options, kind, largest, smallest_open
from search_spaces import Space
from search_spaces.sorting import Order, channel_order, narrowed, reorder
from search_spaces.supernet import Supernet

__all__ = ["order_for", "reorder_state"]


def order_for(supernet: Supernet, phases: Sequence[Phase], number: int) -> Order:
    """How phase ``number`` orders channels (Cai et al., "Once for All", ICLR 2020, section 3.3).

    Only where it is the first to narrow them: what is narrow already was trained in its order.
    (OFA's code sorts the rest again within each step of expansion; here it keeps its order.)
    """
    space = supernet.space
    trained = [earlier for earlier in range(number) if phases[earlier].epochs]
    before = smallest_open(space, phases, trained[-1]) if trained else largest(space)
    opened = _narrow(space, smallest_open(space, phases, number)) - _narrow(space, before)
    return channel_order(supernet, opened) if opened else {}


def reorder_state(supernet: Supernet, optimizer: torch.optim.Optimizer, order: Order) -> None:
    """Permute weights and what the optimizer keeps for each of them, in place."""
    reorder(supernet.state_dict(), order)
    for name, parameter in supernet.named_parameters():
        kept = optimizer.state.get(parameter, {})
        alike = [
            value
            for value in kept.values()
            if isinstance(value, Tensor) and value.shape == parameter.shape
        ]
        for value in alike:
            reorder({name: value}, order)


def _narrow(space: Space, low: Options) -> frozenset[str]:
    # The deepest of the narrowest, since what is left out narrows nothing.
    top = largest(space)
    deep = [t if kind(c) == "depth" else o for c, t, o in zip(space.choices, top, low, strict=True)]
    return narrowed(space, np.array([deep, top]))
