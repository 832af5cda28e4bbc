"""Which specs of a space some network really has.

Slots are traced for every state of their inputs on its own, so where two slots share a choice
(all blocks of a stage their width) ``space.specs`` also lists layers that no row leads to.
"""

from __future__ import annotations

from search_spaces import diagram
from search_spaces.net import Leaf
from search_spaces.space import Space
from search_spaces.specs import SKIP, LayerSpec, Tensor
from search_spaces.tables import Column

Pairs = frozenset[tuple[int, int]]


def images(space: Space) -> tuple[Tensor, ...]:
    """What the networks of the space take: one tensor for each resolution."""
    return space._trace.columns[0].outputs


def reachable(space: Space, image: Tensor | None = None) -> tuple[LayerSpec, ...]:
    """The specs that occur in some network of ``space``, in the order of ``space.specs``.

    With ``image``, in some network that takes it.

    Walks the slots in order and keeps the ways to stand before each: the states of the tensors
    and the decisions that a later slot still reads. Exact, whatever the size of the space.
    """
    trace = space._trace
    last_read: dict[int, int] = {}
    last_used: dict[int, int] = {}
    for position, column in enumerate(trace.columns):
        last_read.update(dict.fromkeys(column.reads, position))
        last_used.update(dict.fromkeys(column.sources, position))
    number = {choice: i for i, choice in enumerate(trace.choices)}
    found: set[LayerSpec] = set()
    ways: set[tuple[Pairs, Pairs]] = {(frozenset(), frozenset())}
    for position, column in enumerate(trace.columns):
        after: set[tuple[Pairs, Pairs]] = set()
        for decided, states in ways:
            at = tuple(dict(states)[source] for source in column.sources)
            fixed = {trace.choices[i]: option for i, option in decided}
            for leaf, added in diagram.leaves(column.diagrams[at], fixed):
                if position == 0 and image not in (None, leaf):
                    continue
                if isinstance(leaf, Leaf) and leaf.spec != SKIP:
                    found.add(leaf.spec)
                now = {**dict(decided), **{number[choice]: o for choice, o in added.items()}}
                live = {**dict(states), position: _state(column, leaf, at, trace.columns)}
                read_on = ((i, o) for i, o in now.items() if last_read[i] > position)
                used_on = ((s, t) for s, t in live.items() if last_used.get(s, 0) > position)
                after.add((frozenset(read_on), frozenset(used_on)))
        ways = after
    return tuple(spec for spec in space.specs if spec in found)


def _state(
    column: Column, leaf: Leaf | Tensor, at: tuple[int, ...], columns: tuple[Column, ...]
) -> int:
    if isinstance(leaf, Tensor):
        return column.outputs.index(leaf)
    if leaf.spec == SKIP:
        return column.outputs.index(columns[column.sources[0]].outputs[at[0]])
    return column.outputs.index(leaf.spec.output)
