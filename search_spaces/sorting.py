"""Channels in the order of their importance, so that a narrow network has the best of them.

Narrow networks take the first channels of a wide one (Cai et al., "Once for All", ICLR 2020,
section 3.3). Importance is the L1 norm of the weights that read the channel, as there, but summed
over all that do: OFA's code looks at the projecting convolution alone, here squeeze-excite counts
as well. Depthwise convolutions and norms read nothing of others. The
largest network stays the same function: what makes a channel and all that reads it move together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from search_spaces.groups import Bundle, Wiring
from search_spaces.space import Population, Space
from search_spaces.supernet import Supernet
from search_spaces.wiring import wiring

__all__ = ["Order", "channel_order", "importance", "narrowed", "reorder", "sort_channels"]

Order = Mapping[str, Mapping[int, Tensor]]
"""For tensors of a state dict, by axis: where each of the axis's channels comes from."""


def sort_channels(supernet: Supernet) -> None:
    """Permute the supernet's weights in place: the most important channels of each group first.

    Only groups that some network narrows are moved: expansions within blocks, widths across them.
    Equally important channels keep their order, so that sorting twice changes nothing. The outputs
    of the largest network change by rounding alone, because sums run in another order.
    """
    reorder(supernet.state_dict(), channel_order(supernet))


def channel_order(supernet: Supernet, groups: Collection[str] | None = None) -> Order:
    """What ``sort_channels`` does; or only for ``groups``, as ``narrowed`` names them."""
    wired = wiring(supernet.space)
    names = _names(supernet)
    chosen = None if groups is None else {wired.root(group) for group in groups}
    moved = {
        group: _order(values, wired.unit_of(group))
        for group, values in importance(supernet, wired).items()
        if chosen is None or group in chosen
    }
    order: dict[str, dict[int, Tensor]] = {}
    for name, axes in wired.tensors.items():
        for axis, bundle in axes.items():
            if any(wired.root(strand.group) in moved for strand in bundle):
                order.setdefault(names[name], {})[axis] = _index(bundle, wired, moved)
    return order


def reorder(tensors: Mapping[str, Tensor], order: Order) -> None:
    """Permute ``tensors`` in place: a state dict, or what an optimizer keeps of its tensors."""
    with torch.no_grad():
        for name, tensor in tensors.items():
            for axis, index in order.get(name, {}).items():
                tensor.copy_(tensor.index_select(axis, index.to(tensor.device)))


def narrowed(space: Space, rows: Population) -> frozenset[str]:
    """The groups of channels that have more than one size among the networks of ``rows``."""
    wired = wiring(space, rows)
    return frozenset(name for name in wired.sizes if len(wired.sizes_of(name)) > 1)


def importance(supernet: Supernet, wired: Wiring | None = None) -> dict[str, Tensor]:
    """The importance [channels] of every group that some network narrows, by the group's name."""
    wired = wiring(supernet.space) if wired is None else wired
    state, names = supernet.state_dict(), _names(supernet)
    roots = dict.fromkeys(wired.root(group) for group in wired.sizes)
    found = {
        root: torch.zeros(wired.sizes_of(root)[-1], dtype=torch.float64)
        for root in roots
        if len(wired.sizes_of(root)) > 1 and not wired.is_fixed(root)
    }
    for name, axes in wired.tensors.items():
        if 1 not in axes:
            continue
        weight = state[names[name]].detach().abs().double().cpu()
        norms = weight.sum([axis for axis in range(weight.dim()) if axis != 1])
        begin = 0
        for strand in axes[1]:
            root = wired.root(strand.group)
            channels = wired.sizes_of(root)[-1]
            part = norms[begin : begin + channels * strand.repeat]
            if root in found:
                found[root] += part.view(channels, strand.repeat).sum(1)
            begin += channels * strand.repeat
    return found


def _names(supernet: Supernet) -> dict[str, str]:
    # Of every tensor: its name by key of weights, and by module, as in the state dict.
    from search_spaces.subnet import module_name

    return {
        f"{key}.{name}": f"blocks.{module_name(key)}.{name}"
        for key in supernet.space.weight_specs()
        for name in supernet.blocks[module_name(key)].state_dict()
    }


def _order(values: Tensor, unit: int) -> Tensor:
    groups = values.view(-1, unit).sum(1).sort(descending=True, stable=True).indices
    return (groups[:, None] * unit + torch.arange(unit)).flatten()


def _index(bundle: Bundle, wired: Wiring, order: dict[str, Tensor]) -> Tensor:
    parts: list[Tensor] = []
    begin = 0
    for strand in bundle:
        root = wired.root(strand.group)
        channels = wired.sizes_of(root)[-1]
        moved = order.get(root, torch.arange(channels))
        repeated = moved[:, None] * strand.repeat + torch.arange(strand.repeat)
        parts.append(begin + repeated.flatten())
        begin += channels * strand.repeat
    return torch.cat(parts)
