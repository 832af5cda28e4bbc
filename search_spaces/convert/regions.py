"""A graph of layers as a chain of slots: where every path passes, a slot ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces.convert.graph import IMAGE, Layer


@dataclass(frozen=True, eq=False)
class Region:
    """The layers of one slot: they take ``taken`` and each other; the last gives what comes out."""

    slot: str
    taken: str
    layers: tuple[Layer, ...]

    @property
    def residual(self) -> bool:
        """Whether what comes in is added to what goes out, so that it may be left out."""
        last = self.layers[-1]
        return last.kind == "add" and len(self.layers) > 1 and self.taken in last.sources


def regions(layers: Sequence[Layer]) -> tuple[Region, ...]:
    """The chain. In topological order a slot ends where no later layer reads past the last one."""
    position = {IMAGE: -1, **{layer.name: i for i, layer in enumerate(layers)}}
    reach = dict.fromkeys(range(-1, len(layers)), -1)
    for layer in layers:
        for source in layer.sources:
            reach[position[source]] = max(reach[position[source]], position[layer.name])
    found: list[Region] = []
    taken, begin, furthest = IMAGE, 0, reach[-1]
    slots: set[str] = set()
    for i, layer in enumerate(layers):
        if furthest <= i:
            own = tuple(layers[begin : i + 1])
            found.append(Region(_slot(own, slots), taken, own))
            taken, begin = layer.name, i + 1
        furthest = max(furthest, reach[i])
    return tuple(found)


def common(names: Sequence[str]) -> str:
    """The longest path of modules that all ``names`` begin with."""
    split = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _slot(layers: tuple[Layer, ...], slots: set[str]) -> str:
    """A name that no other slot has, dots taken for the underscores that modules are named with."""
    last = layers[-1].name
    base = last if len(layers) == 1 else common([layer.name for layer in layers]) or last
    names = [base, last, *(f"{last}_{number}" for number in range(1, len(slots) + 2))]
    name = next(n for n in names if n.replace(".", "_") not in slots and n != IMAGE)
    slots.add(name.replace(".", "_"))
    return name
