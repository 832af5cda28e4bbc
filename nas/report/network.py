"""A plan, block by block, as a picture needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from nas.report.data import Block, Network
from search_spaces import Architecture, LayerSpec, Space

__all__ = ["network_of"]

# Said elsewhere in the picture: shapes are in and out, the activation is the same throughout.
ELSEWHERE = ("inputs", "out", "classes", "act")


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
        _details(spec),
        spec.output.shape,
        spec.macs,
        spec.params,
        latency(spec),
    )


def _details(spec: LayerSpec) -> tuple[str, ...]:
    values = {f.name: getattr(spec, f.name) for f in fields(spec) if f.name not in ELSEWHERE}
    details = []
    if kernel := values.pop("kernel", None):
        details.append(f"{kernel}×{kernel}")
    if values.get("stride") == 1:
        values.pop("stride")
    if middle := values.pop("middle", None):
        details.append(f"{middle} middle (×{middle / spec.channels:.2g})")
    for name, value in values.items():
        if value is True:
            details.append(name)
        elif value:
            details.append(f"{name} {value}")
    return tuple(details)
