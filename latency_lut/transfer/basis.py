"""What the devices of a space may differ in: directions in the times of its parts.

A network's time is an intercept and the times of its parts, x = [1, counts of the parts]. A device
is the vector of these times. It is expected to be a mixture of the donors, up to deviations that
parts of one kind share (a device may be slow at depthwise convolutions) and deviations of each
part, both relative to what the part takes on the donors.

All directions are scaled so that their contributions to the times of the population have variance
1, so one number says how much a component matters, whatever the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latency_lut.arrays import Floats, Integers

# Of the sum of squares of the features: enough to make the effects of redundant parts unique.
RIDGE = 1e-6
# No part is so small on all donors that it could not differ on another device.
FLOOR = 0.1


@dataclass(frozen=True)
class Shapes:
    """Donors without their scales: every one has mean 0 and variance 1 over the population.

    ``parts`` [donors, 1 + parts] are the additive effects, the intercept first.
    """

    parts: Floats
    groups: tuple[str, ...]

    def without(self, group: str) -> Shapes:
        """The donors that are not of ``group``."""
        kept = [i for i, name in enumerate(self.groups) if name != group]
        return Shapes(self.parts[kept], tuple(self.groups[i] for i in kept))

    @property
    def weights(self) -> Floats:
        """Every group counts once, however many of its tables there are: [donors], sum 1."""
        weights = np.array([1 / self.groups.count(name) for name in self.groups])
        return weights / weights.sum()


def shapes(ms: Floats, features: Floats, groups: Sequence[str]) -> Shapes:
    """The shapes of donors that take ``ms`` [donors, networks] on networks of ``features``.

    Additive effects by least squares over the whole population, which averages out the noise of
    a donor's single measurements.
    """
    x = extended(features)
    square = x.T @ x
    square[np.diag_indices_from(square)] += RIDGE * np.trace(square) / len(square)
    effects = np.linalg.solve(square, x.T @ ms.T).T
    additive = effects @ x.T
    effects[:, 0] -= additive.mean(axis=1)
    return Shapes(effects / additive.std(axis=1)[:, None], tuple(groups))


def extended(features: Floats) -> Floats:
    """With a column of ones for the intercept: [networks, 1 + parts]."""
    return np.hstack([np.ones((len(features), 1)), features])


@dataclass(frozen=True)
class Directions:
    """One component: ``directions`` [1 + parts, k] of independent deviations."""

    name: str
    directions: Floats


def components(
    donors: Shapes, spread: Floats, labels: Sequence[Integers]
) -> tuple[Directions, ...]:
    """The components of the prior: the donors' mean, each donor, each kind, each part.

    ``spread`` [1 + parts] are the standard deviations of the features over the population;
    ``labels`` number the kinds of the parts, [parts] each, in as many ways as there are.
    """
    weights = donors.weights
    size = np.sqrt(weights @ donors.parts**2)
    size = np.maximum(size, FLOOR * np.sqrt((size[1:] ** 2).mean()))
    size[0] = 0
    mean = weights @ donors.parts
    found = [
        Directions("mean", mean[:, None]),
        Directions("donors", (np.sqrt(weights)[:, None] * donors.parts).T),
    ]
    for number, label in enumerate(labels):
        kinds = label[:, None] == np.unique(label)
        shared = np.vstack([np.zeros((1, kinds.shape[1])), size[1:, None] * kinds])
        found.append(Directions(f"kinds {number}", _scaled(shared, spread)))
    own = np.diag(size)[:, 1:]
    return (*found, Directions("parts", _scaled(own, spread)))


def _scaled(directions: Floats, spread: Floats) -> Floats:
    # Parts are counted as if they were independent, which they are in a uniform population.
    return directions / np.sqrt((directions**2).sum(axis=1) @ spread**2)
