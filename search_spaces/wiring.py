"""Which channels are the same channels: what has to be reordered, or narrowed, together.

A convolution's outputs are its norm's channels and the next convolution's inputs; a sum makes one
group of two; a depthwise convolution hands its inputs on. Every layer says here once how its
tensors' axes hang on what goes in and what comes out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search_spaces.errors import SpaceError
from search_spaces.specs import (
    NORM_TENSORS,
    SKIP,
    Activation,
    Add,
    Bottleneck,
    Cell,
    Classifier,
    Concat,
    Conv,
    Flatten,
    FusedMBConv,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    MaxPool,
    MBConv,
    Multiply,
    Norm,
    Pool,
    SeparableConv,
)

if TYPE_CHECKING:
    from search_spaces.space import Population, Space
    from search_spaces.tables import Column


@dataclass(frozen=True)
class Strand:
    """A run of a tensor's channels: all of a group, each ``repeat`` times in a row."""

    group: str
    repeat: int = 1


Bundle = tuple[Strand, ...]


@dataclass
class Wiring:
    """Groups of channels, tied by union-find; and for every tensor the bundles of its axes.

    ``sizes`` are the sizes that a group has in some network; ``units`` the channels that stay
    together in it; ``fixed`` groups keep their order and their size; ``values`` are what the image
    and the slots give, in the order of the space's columns; ``ties`` wait for ``settle``.
    """

    parents: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, set[int]] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    tensors: dict[str, dict[int, Bundle]] = field(default_factory=dict)
    values: list[Bundle] = field(default_factory=list)
    ties: list[tuple[Strand, Strand]] = field(default_factory=list)

    def root(self, group: str) -> str:
        """The group that stands for all that ``group`` is tied to."""
        while self.parents.get(group, group) != group:
            group = self.parents[group]
        return group

    @functools.cached_property
    def members(self) -> Mapping[str, Sequence[str]]:
        """For every root all groups that are tied to it; read once all is wired."""
        found: dict[str, list[str]] = {}
        for name in self.sizes:
            found.setdefault(self.root(name), []).append(name)
        return found

    def sizes_of(self, group: str) -> tuple[int, ...]:
        """The sizes of a group and all that is tied to it, ascending."""
        return tuple(
            sorted(set().union(*(self.sizes[name] for name in self.members[self.root(group)])))
        )

    def unit_of(self, group: str) -> int:
        """How many neighbouring channels have to stay together."""
        return math.lcm(*(self.units.get(name, 1) for name in self.members[self.root(group)]))

    def is_fixed(self, group: str) -> bool:
        """Whether the group or one that is tied to it is fixed."""
        return any(name in self.fixed for name in self.members[self.root(group)])

    def fresh(self, group: str, size: int) -> Bundle:
        """The channels that a layer makes."""
        self.sizes.setdefault(group, set()).add(size)
        return (Strand(group),)

    def fix(self, bundle: Bundle) -> None:
        """Keep the order and the size of these channels."""
        self.fixed |= {strand.group for strand in bundle}

    def tie(self, one: Bundle, other: Bundle) -> None:
        """Make two bundles the same channels; those that are composed differently are fixed."""
        if [strand.repeat for strand in one] != [strand.repeat for strand in other]:
            self.fix(one)
            self.fix(other)
            return
        self.ties += zip(one, other, strict=True)

    def settle(self) -> None:
        """Tie what was to be tied, now that all sizes are known; unequal groups are fixed."""
        for left, right in self.ties:
            first, second = self.root(left.group), self.root(right.group)
            if max(self.sizes[first]) != max(self.sizes[second]):
                self.fix((left, right))
            elif first != second:
                self.parents[second] = first

    def tensor(self, name: str, *axes: Bundle | None) -> None:
        """Say of what the axes of a tensor are; None for an axis that is no channels."""
        known = {axis: bundle for axis, bundle in enumerate(axes) if bundle is not None}
        self.tensors.setdefault(name, known)

    def unit(self, name: str, out: Bundle, taken: Bundle | None, norm: bool = True) -> Bundle:
        """Convolution and norm: tensors under ``name``; without ``taken`` it is depthwise."""
        self.tensor(f"{name}.conv.weight", out, taken)
        if norm:
            self.norm(f"{name}.norm", out)
        return out

    def norm(self, name: str, channels: Bundle) -> None:
        """A norm's tensors under ``name``."""
        for part in NORM_TENSORS:
            self.tensor(f"{name}.{part}", channels)


Wire = Callable[[Any, str, list[Bundle], Wiring], Bundle]


def wiring(space: Space, rows: Population | None = None) -> Wiring:
    """All groups of channels of a space, or of the networks of ``rows`` [n, choices] alone.

    Names of tensors begin with their key of weights. The image and what comes out are fixed.
    """
    wired = Wiring()
    values = wired.values
    among = None if rows is None else space.index(rows)
    for position, column in enumerate(space.columns):
        if not column.sources:
            image = wired.fresh(column.slot, column.outputs[0].shape[0])
            wired.fix(image)
            values.append(image)
            continue
        inputs = [values[source] for source in column.sources]
        numbers = column.spec if among is None else among[:, position - 1]
        outputs = [
            _output(space, column, number, inputs, wired)
            for number in sorted(set(numbers.tolist()))
        ]
        for other in outputs[1:]:
            wired.tie(outputs[0], other)
        values.append(outputs[0])
    wired.fix(values[-1])
    wired.settle()
    return wired


def _output(
    space: Space, column: Column, number: int, inputs: list[Bundle], wired: Wiring
) -> Bundle:
    spec = space.specs[number]
    return inputs[0] if spec == SKIP else wire(spec, column.weights[number], inputs, wired)


def wire(spec: LayerSpec, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    """Enter a layer whose tensors are under ``key``; returns what its output is made of."""
    if type(spec) not in WIRES:
        raise SpaceError(
            f"layer {key!r}: it is not known which channels of {type(spec).__name__} belong "
            f"together; add it to {__name__}.WIRES"
        )
    return WIRES[type(spec)](spec, key, inputs, wired)


def _conv(spec: Conv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    out = wired.unit(f"{key}.main", wired.fresh(f"{key}.out", spec.out), inputs[0])
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _separable(spec: SeparableConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    middle = wired.unit(f"{key}.depthwise", inputs[0], None)
    out = wired.unit(f"{key}.project", wired.fresh(f"{key}.out", spec.out), middle)
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _fused(spec: FusedMBConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    middle = wired.unit(f"{key}.expand", wired.fresh(f"{key}.middle", spec.middle), inputs[0])
    out = wired.unit(f"{key}.project", wired.fresh(f"{key}.out", spec.out), middle)
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _mbconv(spec: MBConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    middle = wired.unit(f"{key}.expand", wired.fresh(f"{key}.middle", spec.middle), inputs[0])
    wired.unit(f"{key}.depthwise", middle, None)
    if spec.squeeze:
        squeeze = wired.fresh(f"{key}.squeeze", spec.squeeze)
        wired.tensor(f"{key}.squeeze.reduce.weight", squeeze, middle)
        wired.tensor(f"{key}.squeeze.reduce.bias", squeeze)
        wired.tensor(f"{key}.squeeze.expand.weight", middle, squeeze)
        wired.tensor(f"{key}.squeeze.expand.bias", middle)
    out = wired.unit(f"{key}.project", wired.fresh(f"{key}.out", spec.out), middle)
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _bottleneck(spec: Bottleneck, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    reduced = wired.unit(f"{key}.reduce", wired.fresh(f"{key}.reduced", spec.middle), inputs[0])
    main = wired.unit(f"{key}.main", wired.fresh(f"{key}.middle", spec.middle), reduced)
    out = wired.unit(f"{key}.expand", wired.fresh(f"{key}.out", spec.out), main)
    if spec.project:
        wired.unit(f"{key}.shortcut", out, inputs[0])
    else:
        wired.tie(inputs[0], out)
    return out


def _classifier(spec: Classifier, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    taken = inputs[0]
    if spec.hidden:
        hidden = wired.fresh(f"{key}.hidden", spec.hidden)
        wired.tensor(f"{key}.hidden.weight", hidden, taken)
        taken = hidden
    out = wired.fresh(f"{key}.classes", spec.classes)
    wired.tensor(f"{key}.linear.weight", out, taken)
    wired.tensor(f"{key}.linear.bias", out)
    return out


def _general(spec: GeneralConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    taken = inputs[0]
    same = spec.group and spec.out == spec.channels
    if spec.group:
        for strand in taken:
            wired.units[strand.group] = math.lcm(wired.units.get(strand.group, 1), spec.group)
        if not same or len(taken) > 1:
            wired.fix(taken)
    out = taken if same else wired.fresh(f"{key}.out", spec.out)
    if spec.group and not same:
        wired.fix(out)
    wired.unit(f"{key}.main", out, None if spec.group else taken, spec.norm)
    if spec.bias:
        wired.tensor(f"{key}.main.conv.bias", out)
    return out


def _linear(spec: Linear, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    out = wired.fresh(f"{key}.out", spec.out)
    wired.tensor(f"{key}.linear.weight", out, inputs[0])
    if spec.bias:
        wired.tensor(f"{key}.linear.bias", out)
    return out


def _norm(spec: Norm, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    wired.norm(f"{key}.norm", inputs[0])
    return inputs[0]


def _flatten(spec: Flatten, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    pixels = spec.inputs[0].elements // spec.channels
    return tuple(Strand(strand.group, strand.repeat * pixels) for strand in inputs[0])


def _tied(spec: LayerSpec, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    wired.tie(inputs[0], inputs[1])
    return inputs[0]


def _concat(spec: Concat, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    # The first channels of what is put side by side are not the first channels of each.
    wired.fix((*inputs[0], *inputs[1]))
    return (*inputs[0], *inputs[1])


def _cell(spec: Cell, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    values: list[Bundle] = []
    for position, part in enumerate(spec.parts):
        taken = [inputs[0] if source < 0 else values[source] for source in part.sources]
        values.append(wire(part.spec, f"{key}.{position}", taken, wired))
    return values[-1]


def _through(spec: LayerSpec, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    return inputs[0]


WIRES: Mapping[type[LayerSpec], Wire] = {
    Activation: _through,
    Add: _tied,
    Bottleneck: _bottleneck,
    Cell: _cell,
    Classifier: _classifier,
    Concat: _concat,
    Conv: _conv,
    Flatten: _flatten,
    FusedMBConv: _fused,
    GeneralConv: _general,
    GlobalPool: _through,
    Linear: _linear,
    MBConv: _mbconv,
    MaxPool: _through,
    Multiply: _tied,
    Norm: _norm,
    Pool: _through,
    SeparableConv: _separable,
}
