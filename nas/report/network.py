"""A plan, block by block, as a picture needs it."""

from __future__ import annotations

from collections.abc import Callable

from nas.layers import details
from nas.report.data import Block, Network
from search_spaces import Architecture, LayerSpec, Space

__all__ = ["network_of"]


def network_of(
    space: Space,
    architecture: Architecture,
    latency: Callable[[LayerSpec], float | None] = lambda spec: None,
) -> Network:
    """All slots of the space in order, those that the network skips too.

    ``latency`` gives a layer's milliseconds, or None if they are not known.
    """
    plan = space.lower(architecture)
    specs = {node.slot: node.spec for node in plan.nodes}
    blocks = tuple(_block(slot, specs.get(slot), latency) for slot in space.slots)
    return Network(plan.image.shape, blocks)


def _block(
    slot: str, spec: LayerSpec | None, latency: Callable[[LayerSpec], float | None]
) -> Block:
    stage = slot.partition(".")[0]
    if spec is None:
        return Block(stage, slot)
    return Block(
        stage,
        slot,
        type(spec).__name__,
        details(spec),
        spec.output.shape,
        spec.macs,
        spec.params,
        latency(spec),
    )
