"""Elastic width of a chain of slots: one choice for every group of channels that are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from search_spaces.convert.elastic import Choices, Elastic
from search_spaces.convert.regions import Region
from search_spaces.groups import Wiring
from search_spaces.specs import Cell, LayerSpec, divisible
from search_spaces.specs.cell import INPUT

CHANNELS: Final = 8
"""Widths are multiples of it: the blocks that runtimes lay channels out in."""
OPTIONS: Final = 1000
"""At most so many combinations in one slot, each of which a table measures: wide groups first."""

Place = tuple[int, int]


def ask_widths(
    chain: Sequence[Region],
    specs: Sequence[LayerSpec],
    wired: Wiring,
    elastic: Elastic,
    choices: Choices,
) -> None:
    """Ask for the width of every group that layers make and nothing fixes.

    ``specs`` are what stands in the slots of the network as it is, ``wired`` its channels. What is
    inside squeeze-excite stays as it is: it costs nothing, and would double what is measured.
    """
    taken = [_roots(wired, s) for s in range(len(chain))]
    given = {root for s in range(len(chain)) for root in _roots(wired, s + 1)}
    groups = _makers(chain, wired)
    seen = {s: choices.options(s) for s in range(len(chain))}
    for root in sorted(groups, key=lambda root: -wired.sizes_of(root)[-1]):
        places = groups[root]
        if wired.is_fixed(root) or all(_gates(specs[s], i) for s, i in places):
            continue
        size, step = wired.sizes_of(root)[-1], math.lcm(CHANNELS, wired.unit_of(root))
        narrower = {divisible(size * fraction, step) for fraction in elastic.widths}
        values = [*sorted(value for value in narrower if value < size), size]
        reading = {s for s, _ in places} | {s for s, roots in enumerate(taken) if root in roots}
        if len(values) == 1 or any(seen[s] * len(values) > OPTIONS for s in reading):
            continue
        s, i = places[0]
        kind = "width" if root in given else "expand"
        asked = choices.ask(f"{chain[s].layers[i].name}.{kind}", values)
        for s, i in places:
            out = INPUT if root in taken[s] else asked
            choices.attributes.setdefault((s, i), {})["out"] = out
        for s in reading:
            seen[s] *= len(values)


def _roots(wired: Wiring, value: int) -> set[str]:
    return {wired.root(strand.group) for strand in wired.values[value]}


def _makers(chain: Sequence[Region], wired: Wiring) -> dict[str, list[Place]]:
    """For every group the layers that make its channels, first ones first."""
    found: dict[str, list[Place]] = {}
    for s, region in enumerate(chain):
        for i, layer in enumerate(region.layers):
            if layer.attributes.get("out") is not None:
                key = region.slot if len(region.layers) == 1 else f"{region.slot}.{i}"
                found.setdefault(wired.root(f"{key}.out"), []).append((s, i))
    return found


def _gates(spec: LayerSpec, layer: int) -> bool:
    """Whether a layer of a cell works on one number a channel."""
    shape = spec.parts[layer].spec.inputs[0].shape if isinstance(spec, Cell) else ()
    return bool(shape) and math.prod(shape[1:]) == 1
