"""A traced network as dense integer tables, so that whole populations are looked up at once."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search_spaces import diagram
from search_spaces.choices import Choice
from search_spaces.errors import SpaceError
from search_spaces.net import IMAGE, Leaf, Net
from search_spaces.specs import SKIP, LayerSpec, Tensor

LARGEST_TABLE = 1 << 22


@dataclass(frozen=True, eq=False)
class Column:
    """One slot: its diagram for every state of its inputs, and the same as tables.

    ``lookup`` is indexed by the input states and the options of ``reads``; its rows hold the
    spec's id, the state of the output, and one bit for every choice that was read on the way.
    """

    slot: str
    sources: tuple[int, ...]
    reads: tuple[int, ...]
    sizes: tuple[int, ...]
    diagrams: Mapping[tuple[int, ...], Any]
    outputs: tuple[Tensor, ...]
    spec: npt.NDArray[np.int32]
    state: npt.NDArray[np.int32]
    read: npt.NDArray[np.int64]
    weights: Mapping[int, str]

    def positions(
        self, states: Sequence[npt.NDArray[np.int64]], options: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Where in the tables every row stands: [n]. ``options`` is [choices, n]."""
        digits = [*(states[source] for source in self.sources), *(options[c] for c in self.reads)]
        position = np.zeros(options.shape[1], dtype=np.int64)
        for digit, size in zip(digits, self.sizes, strict=True):
            position *= size
            position += digit
        return position


@dataclass(frozen=True, eq=False)
class Trace:
    """All columns, the image's first, and the distinct specs that they name; id 0 is SKIP."""

    choices: tuple[Choice, ...]
    columns: tuple[Column, ...]
    specs: tuple[LayerSpec, ...]


def trace(net: Net) -> Trace:
    """Run every slot once for every path through it."""
    choices = tuple(net.choices.values())
    specs: dict[LayerSpec, int] = {SKIP: 0}
    image = diagram.trace(net.image)
    columns = [_column(IMAGE, (), {(): image}, choices, specs, ())]
    where = {IMAGE: 0}
    for slot in net.slots:
        sources = tuple(where[name] for name in slot.inputs)
        tensors = [columns[source].outputs for source in sources]
        diagrams = {}
        for state in itertools.product(*(range(len(options)) for options in tensors)):
            inputs = tuple(options[i] for options, i in zip(tensors, state, strict=True))

            diagrams[state] = diagram.trace(functools.partial(slot, inputs))
        where[slot.name] = len(columns)
        columns.append(_column(slot.name, sources, diagrams, choices, specs, tensors))
    return Trace(choices, tuple(columns), tuple(specs))


def _column(
    slot: str,
    sources: tuple[int, ...],
    diagrams: Mapping[tuple[int, ...], Any],
    choices: tuple[Choice, ...],
    specs: dict[LayerSpec, int],
    tensors: Sequence[tuple[Tensor, ...]],
) -> Column:
    met = {choice for root in diagrams.values() for choice in diagram.reads(root)}
    reads = [i for i, choice in enumerate(choices) if choice in met]
    sizes = [len(options) for options in tensors] + [len(choices[i].values) for i in reads]
    if math.prod(sizes) > LARGEST_TABLE:
        raise SpaceError(
            f"slot {slot!r} reads {len(reads)} choices jointly, a table of {math.prod(sizes)} "
            f"entries; at most {LARGEST_TABLE} are kept: split the slot or share fewer choices"
        )
    spec = np.zeros(math.prod(sizes), dtype=np.int32)
    state = np.zeros_like(spec)
    read = np.zeros(math.prod(sizes), dtype=np.int64)
    outputs: dict[Tensor, int] = {}
    weights: dict[int, str] = {}
    bit = {choices[i]: 1 << k for k, i in enumerate(reads)}
    for position, digits in enumerate(itertools.product(*(range(size) for size in sizes))):
        at = digits[: len(sources)]
        option = {choices[i]: digits[len(sources) + k] for k, i in enumerate(reads)}
        leaf, path = diagram.follow(diagrams[at], option.__getitem__)
        output = leaf if isinstance(leaf, Tensor) else _output(leaf, at, tensors)
        if isinstance(leaf, Leaf):
            spec[position] = identity = specs.setdefault(leaf.spec, len(specs))
            if weights.setdefault(identity, leaf.weights) != leaf.weights:
                raise SpaceError(
                    f"slot {slot!r}: options {weights[identity]!r} and {leaf.weights!r} build the "
                    "same layer; keep one of them"
                )
        state[position] = outputs.setdefault(output, len(outputs))
        read[position] = sum(bit[choice] for choice in path)
    return Column(
        slot,
        sources,
        tuple(reads),
        tuple(sizes),
        diagrams,
        tuple(outputs),
        spec,
        state,
        read,
        weights,
    )


def _output(leaf: Leaf, at: tuple[int, ...], tensors: Sequence[tuple[Tensor, ...]]) -> Tensor:
    return tensors[0][at[0]] if leaf.spec == SKIP else leaf.spec.output


def tells_apart(trace: Trace) -> bool:
    """Whether every decision that one slot alone reads builds a layer of its own there.

    Rounding may make two of them equal (expansions of narrow networks); then equal networks have
    unequal rows.
    """
    readers = [i for column in trace.columns for i in column.reads]
    for column in trace.columns:
        private = {trace.choices[i] for i in column.reads if readers.count(i) == 1}
        for root in column.diagrams.values():
            built = [
                (leaf, frozenset((c, o) for c, o in way.items() if c not in private))
                for leaf, way in diagram.leaves(root, {})
            ]
            if len(set(built)) < len(built):
                return False
    return True


# The states of tensors, or the options of choices, by number: those that a later slot looks at.
Pairs = frozenset[tuple[int, int]]
Situation = tuple[Pairs, Pairs]
START: Situation = (frozenset(), frozenset())


@dataclass(frozen=True)
class Step:
    """In the situation ``before`` a slot turns out to be ``leaf``, which leads to ``after``.

    ``added`` are the decisions that it takes: (choice, option), by number.
    """

    before: Situation
    leaf: Leaf | Tensor
    after: Situation
    added: tuple[tuple[int, int], ...] = ()


def walk(trace: Trace, image: Tensor | None = None) -> Iterator[list[Step]]:
    """The steps of every slot in order, the image first; with ``image`` only networks of it.

    A situation is all that matters of the way to a slot: the decisions and the states of tensors
    that this slot or a later one still looks at. Equal situations are one, so that spaces of any
    size are walked exactly.
    """
    last_read: dict[int, int] = {}
    last_used: dict[int, int] = {}
    for position, column in enumerate(trace.columns):
        last_read.update(dict.fromkeys(column.reads, position))
        last_used.update(dict.fromkeys(column.sources, position))
    number = {choice: i for i, choice in enumerate(trace.choices)}
    situations = [START]
    for position, column in enumerate(trace.columns):
        tensors = [trace.columns[source].outputs for source in column.sources]
        steps: list[Step] = []
        for decided, states in situations:
            at = tuple(dict(states)[source] for source in column.sources)
            fixed = {trace.choices[i]: option for i, option in decided}
            for leaf, added in diagram.leaves(column.diagrams[at], fixed):
                if position == 0 and image not in (None, leaf):
                    continue
                output = leaf if isinstance(leaf, Tensor) else _output(leaf, at, tensors)
                taken = tuple((number[choice], option) for choice, option in added.items())
                now = {**dict(decided), **dict(taken)}
                live = {**dict(states), position: column.outputs.index(output)}
                after = (
                    frozenset((i, o) for i, o in now.items() if last_read[i] > position),
                    frozenset((s, t) for s, t in live.items() if last_used.get(s, 0) > position),
                )
                steps.append(Step((decided, states), leaf, after, taken))
        yield steps
        situations = list(dict.fromkeys(step.after for step in steps))


def count(trace: Trace) -> int:
    """How many canonical rows there are: the leaves of the diagram of the whole network."""
    ways = {START: 1}
    for steps in walk(trace):
        after: dict[Situation, int] = {}
        for step in steps:
            after[step.after] = after.get(step.after, 0) + ways[step.before]
        ways = after
    return sum(ways.values())


def bounds(trace: Trace, metric: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The least and the most that ``metric`` [specs] sums to over the layers of a network."""
    number = {spec: i for i, spec in enumerate(trace.specs)}
    ways = {START: (0.0, 0.0)}
    for steps in walk(trace):
        after: dict[Situation, tuple[float, float]] = {}
        for step in steps:
            own = float(metric[number[step.leaf.spec]]) if isinstance(step.leaf, Leaf) else 0.0
            least, most = ways[step.before]
            low, high = after.get(step.after, (math.inf, -math.inf))
            after[step.after] = min(low, least + own), max(high, most + own)
        ways = after
    return min(low for low, _ in ways.values()), max(high for _, high in ways.values())


def reachable(trace: Trace, image: Tensor | None = None) -> tuple[LayerSpec, ...]:
    """The specs that some network has (one that takes ``image``), in the order of ``specs``.

    Slots are traced for every state of their inputs on its own, so where two slots share a choice
    (all blocks of a stage their width) ``specs`` also lists layers that no row leads to.
    """
    leaves = (step.leaf for steps in walk(trace, image) for step in steps)
    found = {leaf.spec for leaf in leaves if isinstance(leaf, Leaf)} - {SKIP}
    return tuple(spec for spec in trace.specs if spec in found)
