"""Groups of channels that are the same channels, and of which groups the axes of tensors are."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search_spaces.specs import NORM_TENSORS


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
