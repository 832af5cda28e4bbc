"""Bringing what is measured today to the pace that the machine had in another campaign.

The reference networks tell how fast a machine computes. They stay near the core, so they say
little about large networks, which wait for memory that others use as well and may have moved
against them between two campaigns. So some whole networks of the other campaign, like those to be
measured, are measured once more beside them: its anchors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latency_lut.latency import Latency
from latency_lut.plans import network_model
from latency_lut.populations import network_name, resolutions_of
from latency_lut.references import NAMES
from latency_lut.seam import Model
from latency_lut.table import LatencyTable, Network
from search_spaces.space import Population, Space

ANCHORS = 6
# The standard deviation of a median of normal values, in units of that of their mean.
MEDIAN = math.sqrt(math.pi / 2)


@dataclass(frozen=True)
class Factor:
    """What times of today are multiplied by, and its relative standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Anchor:
    """A network that took ``there_ms`` in the other campaign, on images of side ``side``."""

    model: Model
    side: int
    there_ms: float


@dataclass(frozen=True)
class Pace:
    """The pace of another campaign: the usual times of its references, and its anchors."""

    usual_ms: Mapping[str, float]
    anchors: tuple[Anchor, ...] = ()

    def factor(
        self, side: int | None, here: Mapping[str, Latency], usual_ms: Mapping[str, float]
    ) -> Factor:
        """For networks on images of side ``side``: by its anchors; by the references without any.

        ``here`` are the latencies of today by the models' names, ``usual_ms`` the references'
        usual times of today.
        """
        ratios = [
            a.there_ms / here[a.model.name].latency_ms for a in self.anchors if a.side == side
        ]
        if ratios:
            logs = np.log(ratios)
            deviation = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
            return Factor(float(np.exp(np.median(logs))), MEDIAN * deviation / math.sqrt(len(logs)))
        logs = np.log([self.usual_ms[name] / usual_ms[name] for name in NAMES])
        return Factor(float(np.exp(logs.mean())), float(logs.std(ddof=1)) / math.sqrt(len(logs)))


def pace_of(table: LatencyTable, X: Population) -> Pace:
    """The pace of ``table`` for measuring the networks ``X`` [n, choices] beside its own."""
    sides = resolutions_of(table.space, table.space.index(X))
    costs = table.space.macs(X)
    macs = {int(side): costs[sides == side].tolist() for side in np.unique(sides)}
    return Pace(table.campaign.usual_ms, anchors(table.space, table.networks, macs))


def anchors(
    space: Space, networks: Sequence[Network], macs: Mapping[int, Sequence[float]]
) -> tuple[Anchor, ...]:
    """Anchors for networks of ``macs`` multiply-accumulates, by the side of their images.

    For each side ``ANCHORS`` of the ``networks`` of ``space`` on such images, at most: those
    nearest in MACs to what lies evenly among the given ones.
    """
    chosen: list[Anchor] = []
    for side, wanted in macs.items():
        free = [network for network in networks if network.resolution == side]
        if not free:
            continue
        costs = np.log(space.macs(np.array([network.row for network in free])))
        for target in np.quantile(np.log(wanted), np.linspace(0, 1, ANCHORS)):
            if not free:
                break
            nearest = int(np.abs(costs - target).argmin())
            costs = np.delete(costs, nearest)
            chosen.append(_anchor(space, free.pop(nearest)))
    return tuple(chosen)


def _anchor(space: Space, network: Network) -> Anchor:
    name = network_name(network.resolution, network.row)
    model = network_model(name, space.lower_row(network.row))
    return Anchor(model, network.resolution, network.latency.latency_ms)
