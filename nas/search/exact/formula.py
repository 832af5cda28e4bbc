"""Functions of networks that a programme can hold: sums over edges, and bends of such sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nas.search.searcher import Floats
from search_spaces.paths import Ints, Paths


class Shape(Protocol):
    """A function of one number that is convex, or concave, everywhere."""

    @property
    def convex(self) -> bool:
        """Concave, if not."""
        ...

    def value(self, x: float) -> float:
        """At ``x``."""
        ...

    def slope(self, x: float) -> float:
        """Of a line through (x, value) that the function is nowhere below, or nowhere above."""
        ...

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where the slope jumps."""
        ...


@dataclass(frozen=True)
class Log1p:
    """log(1 + x), for sums that are not negative."""

    @property
    def convex(self) -> bool:
        return False

    @property
    def kinks(self) -> tuple[float, ...]:
        return ()

    def value(self, x: float) -> float:
        return math.log1p(x)

    def slope(self, x: float) -> float:
        return 1 / (1 + x)


@dataclass(frozen=True)
class Excess:
    """What is above ``threshold``: max(0, x - threshold)."""

    threshold: float

    @property
    def convex(self) -> bool:
        return True

    @property
    def kinks(self) -> tuple[float, ...]:
        return (self.threshold,)

    def value(self, x: float) -> float:
        return max(0.0, x - self.threshold)

    def slope(self, x: float) -> float:
        return 1.0 if x > self.threshold else 0.0


@dataclass(frozen=True, eq=False)
class Sum:
    """``constant`` and the ``edges`` [edges] of a path."""

    constant: float
    edges: Floats

    def __call__(self, path: Ints) -> float:
        """Of one path's edges."""
        return self.constant + float(self.edges[path].sum())


@dataclass(frozen=True, eq=False)
class Bend:
    """``coefficient`` times ``shape`` of a sum."""

    coefficient: float
    shape: Shape
    of: Sum

    @property
    def convex(self) -> bool:
        """Whether lines that touch it from below are enough to describe it to a minimiser."""
        return self.shape.convex == (self.coefficient > 0)

    def at(self, x: float) -> float:
        """Where the sum is ``x``."""
        return self.coefficient * self.shape.value(x)

    def slope(self, x: float) -> float:
        """Where the sum is ``x``."""
        return self.coefficient * self.shape.slope(x)

    def __call__(self, path: Ints) -> float:
        """Of one path's edges."""
        return self.at(self.of(path))


@dataclass(frozen=True, eq=False)
class Pairs:
    """``worth`` [options, options]: what two decisions are worth together.

    Only above the diagonal and between two choices; elsewhere it is 0.
    """

    worth: Floats


def _same(value: float) -> float:
    return value


@dataclass(frozen=True, eq=False)
class Formula:
    """A sum, bends, and pairs of decisions, all added up: the latent value of a network.

    ``outward`` is increasing and makes of it what people read; ``inward`` is its inverse.
    """

    plain: Sum
    bends: tuple[Bend, ...] = ()
    pairs: Pairs | None = None
    outward: Callable[[float], float] = _same
    inward: Callable[[float], float] = _same

    def unit(self, paths: Paths) -> float:
        """The most that one term tells networks apart by, above 0."""
        terms = [1e-30, float(np.abs(self.plain.edges).max())]
        for bend in self.bends:
            low, high = (end + bend.of.constant for end in paths.bounds(bend.of.edges))
            terms.append(abs(bend.at(high) - bend.at(low)))
        if self.pairs is not None:
            terms.append(float(np.abs(self.pairs.worth).max()))
        return max(terms)

    def latent(self, path: Ints, options: Ints) -> float:
        """Of one path's edges, and the options [decisions] that it decides on."""
        total = self.plain(path) + sum(bend(path) for bend in self.bends)
        if self.pairs is not None:
            total += float(self.pairs.worth[np.ix_(options, options)].sum())
        return total
